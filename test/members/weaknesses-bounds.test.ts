// Weakness 11: a GPU that is held without being used, memory that leaked, and a machine that always works have their bounds.
import { ask, ended, register } from '../kit/members.ts';
import { changesOf, eventsOf, release, tasksOn, UNTIL_RELEASED, verdictsOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const TIME_SCALE = 0.0005;
const HOUR_MS = 3_600_000 * TIME_SCALE;
const CONTEXT_BOUND_MS = 6 * HOUR_MS;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: { idle: { time_scale: TIME_SCALE, cpu_busy_percent: null, network_busy_bytes_per_second: null } },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const stopped = (name: string) =>
  until(`${name} is stopped`, async () => (await system.cloud.stateOf(name)) === 'stopped', 60_000);
const gpu = (name: string, state: Record<string, unknown>) => system.cloud.control(`instances/${name}/gpu`, state);

test('11: a process that only holds a GPU counts for six hours, memory that nobody holds not at all', async () => {
  await gpu('gpu-train-01', { mode: 'idle', memory_used_mb: [9_000], apps: [4321] });
  await gpu('vm-prod-01', { mode: 'idle', gpus: 2, memory_used_mb: [0, 15_000] });
  const begun = new Date();
  await register(system, 'gpu-train-01', { cloud_idle_timeout_min: 1 });
  await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 1 });
  await stopped('vm-prod-01');
  const leaked = (await verdictsOf(system, 'vm-prod-01')).find(({ next }) => next === 'stop');
  expect(leaked?.reasons).toEqual(expect.arrayContaining(['GPU 0 at 0 %', 'GPU 1 at 0 %']));
  const [held] = (await verdictsOf(system, 'gpu-train-01')).slice(-1);
  expect(held).toMatchObject({ verdict: 'busy', next: 'none' });
  expect(held?.reasons.join()).toContain('1 process on a GPU without using it; counts for another');

  await stopped('gpu-train-01');
  const [stop] = changesOf(system, 'StopInstances', await system.cloud.idOf('gpu-train-01'));
  expect(Number(stop?.at) - begun.getTime()).toBeGreaterThanOrEqual(CONTEXT_BOUND_MS);
  const decided = (await verdictsOf(system, 'gpu-train-01')).find(({ next }) => next === 'stop');
  expect(decided?.reasons.join()).toMatch(/1 process on a GPU without using it for .*, which no longer counts/);
}, 90_000);

test('11: a machine that always works is stopped when it has run for as long as it may, but not under a command', async () => {
  await gpu('vm-prod-02', { mode: 'busy', gpus: 1 });
  const { member_id: id } = await register(system, 'vm-prod-02', { cloud_idle_timeout_min: 1 });
  const instance = await system.cloud.idOf('vm-prod-02');
  const works = await ask(system, id, 'commands', { command: UNTIL_RELEASED });
  await until('it works', async () => (await verdictsOf(system, id))[0]?.reasons.includes('1 command in flight'));
  expect(await eventsOf(system, id, 'stop_warning')).toEqual([]);
  // It has been running for longer than that already.
  await system.api.call('PATCH', `/api/v1/members/${id}`, { cloud_max_run_min: 60 });
  const stop = await until(
    'its stop is asked for',
    async () => (await tasksOn(system, 'stop_instance', 'vm-prod-02'))[0],
  );
  expect(stop.requested_by).toBe('policy/max_run');
  const [warning] = await eventsOf(system, id, 'stop_warning');
  expect(warning?.says).toMatch(/running for .*, longer than it may; .*GPU 0 at 97 %/);
  await until('it waits', async () => (await system.api.get(stop.task_id)).phase === 'waiting_for_lease');
  expect(await system.cloud.stateOf('vm-prod-02')).toBe('running');
  release(system, instance);
  expect(await ended(system, works)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0, stdout: 'done\n' } });
  expect(await ended(system, stop.task_id)).toMatchObject({ status: 'COMPLETED' });
  expect(changesOf(system, 'StopInstances', instance)).toHaveLength(1);
}, 90_000);
