// Weaknesses 13 and 14: reading starts nothing, and a machine is left running only where somebody said so.
import { ask, ended, register, run } from '../kit/members.ts';
import { changesOf, eventsOf, tasksOn, verdictsOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const STOPPING_MS = 1_500;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    stateMs: STOPPING_MS,
    config: {
      execution: { retry_delay_seconds: 0.2 },
      agents: { echo: { command: 'cat' } },
      idle: {
        time_scale: 0.02,
        grace_minutes: 1,
        cpu_busy_percent: null,
        network_busy_bytes_per_second: null,
      },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const isState = async (name: string, state: string) => (await system.cloud.stateOf(name)) === state;

test('13: no reading starts a machine, nor does what is refused; only work that may does', async () => {
  const { member_id: id } = await register(system, 'vm-dev-01');
  const never = await run(system, id, 'true', { start: 'never' });
  expect(never).toMatchObject({ status: 'FAILED', reason: 'conflict', error: expect.stringContaining('start=never') });
  const provision = (body: Readonly<Record<string, unknown>>) => ask(system, id, 'provision', body);
  for (const body of [{}, { start: 'never' }]) {
    const { status, reason, error } = await ended(system, await provision(body));
    expect([status, reason, error]).toEqual(['FAILED', 'conflict', expect.stringContaining('start=never')]);
  }
  const withoutAgent = await ended(system, await ask(system, id, 'prompts', { agent: 'nobody', prompt: 'hello' }));
  expect(withoutAgent).toMatchObject({ status: 'FAILED', reason: 'invalid' });
  expect((await system.api.call('POST', `/api/v1/members/${id}/commands`, { command: '' })).status).toBe(422);
  const [task] = await tasksOn(system, 'run_command', 'vm-dev-01');
  for (const path of [
    `members/${id}`,
    'members',
    `members/${id}/verdicts`,
    `members/${id}/events`,
    'fleet',
    'findings',
    'tasks',
    `tasks/${task?.task_id}`,
    `tasks/${task?.task_id}/events`,
    `tasks/${task?.task_id}/cost`,
  ]) {
    expect([path, (await system.api.call('GET', `/api/v1/${path}`)).status]).toEqual([path, 200]);
  }
  const workflowId = `${system.taskQueue}-sweep-beside`;
  await system.temporal.workflow.execute('sweepIdle', { workflowId, taskQueue: system.taskQueue });
  expect(system.cloud.effects('StartInstances')).toEqual([]);
  expect(await isState('vm-dev-01', 'stopped')).toBe(true);
  expect(await ended(system, await provision({ start: 'if_stopped' }))).toMatchObject({ status: 'COMPLETED' });
  expect(system.cloud.effects('StartInstances')).toHaveLength(1);
}, 90_000);

test('14: removing a running member asks what becomes of its machine; a stop is tried again and seen through', async () => {
  const { member_id: id } = await register(system, 'vm-prod-01');
  const instance = await system.cloud.idOf('vm-prod-01');
  const asks = await system.api.call('DELETE', `/api/v1/members/${id}`);
  expect([asks.status, asks.body]).toEqual([409, expect.objectContaining({ code: 'member_runs' })]);
  expect((await system.api.call('GET', `/api/v1/members/${id}`)).status).toBe(200);

  await system.cloud.fault({ action: 'StopInstances', kind: 'error', times: 2 });
  const { body } = await system.api.call('DELETE', `/api/v1/members/${id}?stop=true`);
  const removal = String(Reflect.get(Object(body), 'task_id'));
  await until('it is stopping', () => isState('vm-prod-01', 'stopping'));
  expect((await system.api.call('GET', `/api/v1/members/${id}`)).status).toBe(200);
  expect(await ended(system, removal)).toMatchObject({ status: 'COMPLETED', result: { stopped: true } });
  expect(await isState('vm-prod-01', 'stopped')).toBe(true);
  expect(changesOf(system, 'StopInstances', instance)).toHaveLength(1);
  expect((await system.api.call('GET', `/api/v1/members/${id}`)).status).toBe(404);
}, 90_000);

test('14: a removal whose stop fails for good says so, and the machine is still watched', async () => {
  const { member_id: id } = await register(system, 'vm-prod-02');
  await system.cloud.fault({ action: 'StopInstances', kind: 'error', code: 'UnauthorizedOperation', status: 403 });
  const { body } = await system.api.call('DELETE', `/api/v1/members/${id}?stop=true`);
  const failed = await ended(system, String(Reflect.get(Object(body), 'task_id')));
  expect(failed).toMatchObject({ status: 'FAILED', reason: 'unauthorized' });
  expect((await system.api.call('GET', `/api/v1/members/${id}`)).status).toBe(200);
  await until('it is looked at', async () => (await verdictsOf(system, id)).length > 0);
}, 60_000);

test('14: an idle stop that a person refuses is not asked for at once again, and that is said', async () => {
  const { member_id: id } = await register(system, 'web-2', { guarded: true, cloud_idle_timeout_min: 1 });
  const asks = async () => tasksOn(system, 'stop_instance', 'web-2');
  const [first] = await until('it is asked for', async () => {
    const tasks = await asks();
    return tasks.some(({ status }) => status === 'AWAITING_CONFIRMATION') && tasks;
  });
  await system.api.confirm(first?.task_id ?? '', false);
  const [noted] = await until('it is noted', async () => {
    const events = await eventsOf(system, id, 'stop_failed');
    return events.length > 0 && events;
  });
  expect(noted).toMatchObject({ says: expect.stringContaining('(rejected); it is asked for again later') });
  expect(await asks()).toHaveLength(1);
}, 60_000);

test('14: an idle stop that fails is a task that says why, and another one follows until the machine is stopped', async () => {
  await system.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: 6 });
  const { member_id: id } = await register(system, 'web-1', { cloud_idle_timeout_min: 1 });
  const instance = await system.cloud.idOf('web-1');
  await until('it is stopping', async () => changesOf(system, 'StopInstances', instance).length > 0, 60_000);
  // The task that stops it has not ended before the cloud shows that it is stopped.
  const running = (await tasksOn(system, 'stop_instance', 'web-1')).at(-1);
  expect(running?.status).toBe('RUNNING');
  expect(await ended(system, running?.task_id ?? '')).toMatchObject({ status: 'COMPLETED' });
  expect(await isState('web-1', 'stopped')).toBe(true);
  const [first, ...later] = await tasksOn(system, 'stop_instance', 'web-1');
  expect(later.map(({ status }) => status)).toEqual(['COMPLETED']);
  const failed = await ended(system, first?.task_id ?? '');
  expect(failed).toMatchObject({
    status: 'FAILED',
    reason: 'retries_exhausted',
    error: expect.stringContaining('fewer'),
  });
  expect(await eventsOf(system, id, 'stop_failed')).toEqual([
    expect.objectContaining({
      says: expect.stringContaining('could not be stopped (retries_exhausted)'),
      detail: { task_id: first?.task_id, error: failed.error },
    }),
  ]);
  // What stops it is no use of it.
  const uses = (await verdictsOf(system, id)).filter(({ verdict }) => verdict === 'busy');
  expect(uses).toEqual([]);
  expect(await eventsOf(system, id, 'stop_warning')).toHaveLength(1);
}, 90_000);
