// Jobs beside each other and beside other work: who is asked before a stop, and which end stops their machine.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { jobEnds, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { ask, ended, makeMachine } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 90_000);
afterAll(() => system?.stop(), 30_000);

const machine = (name: string, more: Readonly<Record<string, unknown>> = {}) => makeMachine(system, name, more);

test('a stop asks a job for its checkpoint only when nothing but jobs is in its way', async () => {
  const { instanceId, home } = await machine('shared');
  const saves = `trap 'echo 1 > checkpoint' USR1; until [ -e released ]; do sleep 0.2; done`;
  const id = await startJob(system, 'shared', saves, {
    restart_command: 'true',
    checkpoint: { path: 'checkpoint', signal: 'USR1', max_age_s: 1, grace_s: 30 },
  });
  await jobIs(system, id, ['running']);
  const command = await ask(system, 'shared', 'commands', {
    command: 'touch begun; until [ -e go ]; do sleep 0.2; done',
  });
  await until('the command runs', () => existsSync(join(home, 'begun')));
  const stop = await system.api.submit('stop_instance', { instance_id: instanceId });
  await until('the stop waits', async () => (await system.api.get(stop)).phase === 'waiting_for_lease');
  // A proof that was asked for now would be old when the command ends.
  await pause(4_000);
  expect(existsSync(join(home, 'checkpoint'))).toBe(false);
  mkdirSync(join(home, 'go'));
  expect(await ended(system, command)).toMatchObject({ status: 'COMPLETED' });
  expect(await ended(system, stop)).toMatchObject({ status: 'COMPLETED' });
  expect(existsSync(join(home, 'checkpoint'))).toBe(true);
  await jobIs(system, id, ['interrupted']);
  expect(await system.cloud.stateOf(instanceId)).toBe('stopped');
  // What is kept of a machine may be older than the stop, and starts it for nobody.
  await until('it waits for its machine', async () => (await jobNow(system, id)).reason?.includes('somebody starts'));
  await system.db.query(`update members set state = 'running' where settings->>'name' = 'shared'`);
  const kept = () => system.db.query(`select 1 from members where settings->>'name' = 'shared' and state = 'stopped'`);
  await until('it was looked at', async () => (await kept()).rowCount === 1);
  await pause(2_000);
  expect(await system.cloud.stateOf(instanceId)).toBe('stopped');
}, 180_000);

test('jobs that end at once and want their machine stopped have it stopped once', async () => {
  const { instanceId, home } = await machine('together', { job_slots: 4 });
  const held = 'until [ -e released ]; do sleep 0.05; done';
  const ids = await Promise.all(
    Array.from({ length: 4 }, () => startJob(system, 'together', held, { on_finish: 'stop' })),
  );
  for (const id of ids) await jobIs(system, id, ['running']);
  // Nobody gets further than to give its lease back until all of them are there.
  const gate = await system.db.connect();
  await gate.query('begin');
  await gate.query('select 1 from leases where holder = any($1) for update', [ids]);
  mkdirSync(join(home, 'released'));
  await until('all of them end', async () => {
    const { rowCount } = await system.db.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return (rowCount ?? 0) >= ids.length;
  });
  await gate.query('commit');
  gate.release();
  const jobs = await Promise.all(ids.map((id) => jobEnds(system, id)));
  expect(jobs.map(({ status }) => status)).toEqual(ids.map(() => 'completed'));
  await until('it is stopped', async () => (await system.cloud.stateOf(instanceId)) === 'stopped');
  const stops = system.cloud.effects('StopInstances').filter((line) => line.instance_ids.includes(instanceId));
  expect(stops).toHaveLength(1);
  const stopped = async () => {
    const now = await Promise.all(ids.map((id) => jobNow(system, id)));
    return now.filter((job) => job['auto_stopped'] === true).length === 1;
  };
  await until('one of them says that it was stopped after it', stopped);
}, 180_000);

test('what was taken back for a stop that does not come is brought again for a job that runs on', async () => {
  const step = { name: 'login', kind: 'exec', command: 'touch ~/login', undo: 'rm ~/login && touch ~/taken' };
  const { instanceId, home } = await machine('kept-on', { ready_steps: [step] });
  const id = await startJob(system, 'kept-on', 'echo 1 > checkpoint; until [ -e released ]; do sleep 0.2; done', {
    checkpoint: { path: 'checkpoint', max_age_s: 600 },
  });
  await jobIs(system, id, ['running']);
  await system.cloud.fault({ action: 'StopInstances', kind: 'error', code: 'OperationNotPermitted', times: 1 });
  const stop = await ended(system, await system.api.submit('stop_instance', { instance_id: instanceId }));
  expect(stop).toMatchObject({ status: 'FAILED' });
  expect(existsSync(join(home, 'taken'))).toBe(true);
  await until('it is there again', () => existsSync(join(home, 'login')), 30_000);
  mkdirSync(join(home, 'released'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 120_000);
