// What starts and stops a machine that takes its time: nothing that nobody wants, and nothing on stale knowledge.
import type { ReadyWish } from '../../domain/activity.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import { changesOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const STATE_MS = 1_500;
/** Less than a stop takes. */
const STOP_S = 1;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    stateMs: STATE_MS,
    config: { execution: { operation_timeout_seconds: { stop_instance: STOP_S } } },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const isState = async (name: string, state: string) => (await system.cloud.stateOf(name)) === state;

test('a stop that is slower than its deadline fails, and the machine is not started again', async () => {
  await register(system, 'web-1');
  const id = await ask(system, 'web-1', 'stop', {});
  expect(await ended(system, id)).toMatchObject({ status: 'FAILED', reason: 'deadline_exceeded' });
  await until('stopped', () => isState('web-1', 'stopped'));
  expect((await system.api.events(id)).map(({ phase }) => phase)).not.toContain('undoing');
  expect(changesOf(system, 'StartInstances', await system.cloud.idOf('web-1'))).toEqual([]);
}, 30_000);

test('a stop that is cancelled with undo=true is taken back all the same', async () => {
  const id = await system.api.submit('stop_instance', { instance_id: 'web-2' });
  await until('it is stopping', () => isState('web-2', 'stopping'));
  expect((await system.api.cancel(id, '?undo=true')).status).toBe(200);
  expect(await ended(system, id)).toMatchObject({ status: 'TERMINATED', reason: 'cancelled' });
  expect(await isState('web-2', 'running')).toBe(true);
}, 30_000);

test('a wish to have a machine started is void when whoever asked has ended', async () => {
  const { member_id: id } = await register(system, 'vm-dev-01');
  const gone = await system.api.submit('list_instances', {});
  await ended(system, gone);
  const wish: ReadyWish = { memberId: id, asker: `task-${gone}`, start: true };
  const readying = await system.temporal.workflow.signalWithStart('readyMember', {
    workflowId: `ready-${id}`,
    taskQueue: system.taskQueue,
    args: [{ memberId: id }],
    signal: 'attend',
    signalArgs: [wish],
  });
  await readying.result();
  expect(changesOf(system, 'StartInstances', await system.cloud.idOf('vm-dev-01'))).toEqual([]);
  expect((await run(system, id, 'true')).status).toBe('COMPLETED');
}, 60_000);

test('a removal asks what becomes of a machine that runs, also when the store does not know that it does', async () => {
  const { member_id: id } = await register(system, 'vm-prod-01');
  await system.db.query("update members set state = 'stopped' where id = $1", [id]);
  const { status, body } = await system.api.call('DELETE', `/api/v1/members/${id}`);
  expect(status).toBe(202);
  expect(await ended(system, String(Reflect.get(Object(body), 'task_id')))).toMatchObject({
    status: 'FAILED',
    reason: 'conflict',
    error: expect.stringContaining('say stop=true'),
  });
  expect((await system.api.call('GET', `/api/v1/members/${id}`)).status).toBe(200);
}, 30_000);
