// PostgreSQL away for longer than any single answer may take: no job ends by it, none is begun twice, none is forgotten.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { homeOf } from '../kit/hosts.ts';
import { jobEnds, jobIs, startJob } from '../kit/jobs.ts';
import { register } from '../kit/members.ts';
import type { PostgresHandle } from '../kit/servers.ts';
import { startPostgres } from '../kit/servers.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

/** The short profiles of activities give up after two minutes. */
const AWAY_MS = 130_000;

const dir = mkdtempSync(join(tmpdir(), 'fermata-jobs-away-'));
let postgres: PostgresHandle;
let system: System;
beforeAll(async () => {
  postgres = await startPostgres({ dir });
  system = await startSystem({ databaseUrl: postgres.url });
}, 90_000);
afterAll(async () => {
  await system?.stop();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
}, 30_000);

test('jobs that run, end and wait while PostgreSQL is away for minutes', async () => {
  const instanceId = await system.cloud.make('steady');
  const home = homeOf(system, instanceId);
  mkdirSync(home, { recursive: true });
  await register(system, 'steady', { work_folder: home, job_slots: 2 });
  const begun = 'echo "$FERMATA_JOB_ID" >> witness';
  const ending = await startJob(system, 'steady', `${begun}; until [ -e end ]; do sleep 0.2; done`);
  const running = await startJob(system, 'steady', `${begun}; until [ -e released ]; do sleep 0.2; done`);
  for (const id of [ending, running]) await jobIs(system, id, ['running']);
  const waiting = await startJob(system, 'steady', begun);
  await postgres.stop();
  mkdirSync(join(home, 'end'));
  await pause(AWAY_MS);
  await postgres.restart();
  expect(await jobEnds(system, ending)).toMatchObject({ status: 'completed', launches: 1 });
  expect(await jobEnds(system, waiting)).toMatchObject({ status: 'completed', launches: 1 });
  expect(await jobIs(system, running, ['running'])).toMatchObject({ launches: 1, retries: 0 });
  mkdirSync(join(home, 'released'));
  expect(await jobEnds(system, running)).toMatchObject({ status: 'completed', launches: 1 });
  const ran = readFileSync(join(home, 'witness'), 'utf8').trim().split('\n');
  expect(ran.sort()).toEqual([ending, running, waiting].sort());
}, 400_000);
