// Ready steps over time: served once however often they are asked for, renewed though it failed, and gone when they are.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { homeOf } from '../kit/hosts.ts';
import { detailOf, eventsOf } from '../kit/member-watch.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { machines: { reach_seconds: 2 } } });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const homeOn = async (name: string) => homeOf(system, await system.cloud.idOf(name));
/** How often a step was begun, by the lines that it wrote. */
const linesIn = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0);
const readiness = (id: string) => system.temporal.workflow.getHandle(`ready-${id}`).describe();

/** The shortest that a step may be good for; it is renewed when four fifths of it are over. */
const SHORTEST = { kind: 'exec', retries: 0, expires_in_s: 60 };

async function longStep(): Promise<void> {
  const command = 'echo begun >>~/long; sleep 63';
  await register(system, 'vm-prod-01', { ready_steps: [{ name: 'long', kind: 'exec', timeout_s: 120, command }] });
  const id = await ask(system, 'vm-prod-01', 'provision', {});
  expect(await ended(system, id, 100_000)).toMatchObject({ status: 'COMPLETED' });
  await pause(3_000);
  expect(linesIn(join(await homeOn('vm-prod-01'), 'long'))).toBe(1);
}

async function failedRenewal(): Promise<void> {
  const command = 'echo begun >>~/token; [ ! -e ~/fail ]';
  const { member_id: id } = await register(system, 'vm-prod-02', {
    ready_steps: [{ ...SHORTEST, name: 'token', command, required: true }],
  });
  await run(system, 'vm-prod-02', 'true');
  const home = await homeOn('vm-prod-02');
  writeFileSync(join(home, 'fail'), '');
  await until('it failed', async () => (await detailOf(system, 'vm-prod-02')).ready_runs[0]?.ok === false, 60_000);
  expect(await eventsOf(system, 'vm-prod-02', 'renewal_failed')).toHaveLength(1);
  rmSync(join(home, 'fail'));
  await until(
    'it is good again',
    async () => (await detailOf(system, 'vm-prod-02')).ready_runs[0]?.ok === true,
    30_000,
  );
  expect((await readiness(id)).status.name).toBe('RUNNING');
}

async function machineAway(): Promise<void> {
  const ssh = (mode: string) => system.cloud.control('instances/gpu-train-01/ssh', { mode });
  await register(system, 'gpu-train-01', { ready_steps: [{ ...SHORTEST, name: 'token', command: 'echo >>~/token' }] });
  await run(system, 'gpu-train-01', 'true');
  await ssh('freeze');
  const noted = () => eventsOf(system, 'gpu-train-01', 'renewal_failed');
  await until('a round failed', async () => (await noted()).length > 0, 90_000);
  await ssh('ok');
  const file = join(await homeOn('gpu-train-01'), 'token');
  await until('it is renewed', () => linesIn(file) === 2, 60_000);
}

async function goneStep(): Promise<void> {
  const { member_id: id } = await register(system, 'vm-staging-01', {
    ready_steps: [{ ...SHORTEST, name: 'token', command: 'true' }],
  });
  await run(system, 'vm-staging-01', 'true');
  await system.api.call('PATCH', '/api/v1/members/vm-staging-01', { ready_steps: [] });
  await until('its readiness ended', async () => (await readiness(id)).status.name === 'COMPLETED', 70_000);
  expect(await detailOf(system, 'vm-staging-01')).toMatchObject({ ready_runs: [] });
}

test('a long step runs once, a renewal that fails or finds no machine is tried again, and a step that is gone is not renewed', async () => {
  await Promise.all([longStep(), failedRenewal(), machineAway(), goneStep()]);
}, 180_000);
