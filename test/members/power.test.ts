// What starts and stops a machine that takes its time: nothing that nobody wants, and nothing on stale knowledge.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopRunner } from '../../activities/steps/power.ts';
import { openClouds } from '../../clients/ec2.ts';
import type { ReadyWish } from '../../domain/activity.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import { changesOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const STATE_MS = 1_500;
/** Less than a stop takes. */
const STOP_S = 1;

/** An AWS profile of the worker and the API beside their own credentials. */
const folder = mkdtempSync(join(tmpdir(), 'fermata-power-'));
const credentials = join(folder, 'credentials');

let system: System;
beforeAll(async () => {
  writeFileSync(credentials, '[team-b]\naws_access_key_id = TEAMB\naws_secret_access_key = sandbox\n');
  system = await startSystem({
    stateMs: STATE_MS,
    env: { AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: join(folder, 'none') },
    config: { execution: { operation_timeout_seconds: { stop_instance: STOP_S } } },
  });
}, 60_000);
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

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

test('a member of another profile is started, stopped and removed through it', async () => {
  const instanceId = await system.cloud.make('team-b');
  const { member_id: id } = await register(system, 'team-b', { cloud_profile: 'team-b' });
  await ended(system, await ask(system, id, 'stop', {}));
  await until('stopped', () => isState('team-b', 'stopped'));
  expect(await run(system, id, 'true')).toMatchObject({ status: 'COMPLETED' });
  const { body } = await system.api.call('DELETE', `/api/v1/members/${id}?stop=true`);
  expect(await ended(system, String(Reflect.get(Object(body), 'task_id')))).toMatchObject({ status: 'COMPLETED' });
  const changes = ['StopInstances', 'StartInstances'].flatMap((action) => changesOf(system, action, instanceId));
  expect(changes.map(({ principal }) => principal)).toEqual(['TEAMB', 'TEAMB', 'TEAMB']);
}, 60_000);

test('a stop without an answer is not made again on another run of the machine, nor on one that came into use', async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
  const clouds = openClouds('us-east-1', String(system.cloud.process.ready.ec2));
  const instanceId = await system.cloud.make('again');
  const [seen] = await clouds.home.find({ kind: 'one', ref: instanceId });
  const runner = stopRunner(clouds.home, {
    inUse: () => Promise.resolve('somebody logged in'),
    prepare: () => Promise.resolve(false),
  });
  const lookAt = (saw: object, args: object = {}) =>
    runner.look(
      {
        ...{ id: 'stop', batch: 0, call: 'stop_instance', target: `us-east-1/${instanceId}`, says: 'stop' },
        ...{ args: { ...args }, saw: { ...saw }, undo: { none: 'no' }, estimatedSeconds: 1 },
      },
      { mine: true, answeredAt: null, undo: false, signal: AbortSignal.timeout(5_000) },
    );
  const run = { state: 'running', name: 'again', launchTime: seen?.launchTime ?? '' };
  expect(await lookAt(run)).toMatchObject({ verdict: 'as_planned' });
  expect(await lookAt({ ...run, launchTime: '2026-01-01T00:00:00.000Z' })).toMatchObject({ verdict: 'else' });
  expect(await lookAt(run, { if_idle: true })).toMatchObject({ verdict: 'else', why: 'somebody logged in' });
  clouds.close();
}, 30_000);

test('a cancellation that comes during the call says what the call has done', async () => {
  const instanceId = await system.cloud.make('doomed');
  await system.cloud.fault({ action: 'TerminateInstances', kind: 'slow', delay_ms: 1_500, times: 1 });
  const id = await system.api.submit('delete_instance', { instance_id: instanceId });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.api.confirm(id, true);
  await until('the call is on its way', async () => {
    const { rowCount } = await system.db.query('select 1 from step_marks where task_id = $1', [id]);
    return rowCount === 1;
  });
  await system.api.cancel(id);
  expect(await ended(system, id)).toMatchObject({ status: 'TERMINATED' });
  const outcome = { acted: true, seen: { state: 'terminated' } };
  expect((await system.api.events(id)).at(-1)).toMatchObject({ detail: { outcomes: [outcome] } });
}, 30_000);

test('a start is taken back alone: whoever wants the machine meanwhile waits', async () => {
  const instanceId = await system.cloud.make('taken-back');
  await system.api.end(await system.api.submit('stop_instance', { instance_id: instanceId }));
  await until('stopped', () => isState(instanceId, 'stopped'));
  const id = await system.api.submit('start_instance', { instance_id: instanceId });
  await until('it starts', () => isState(instanceId, 'pending'));
  await system.api.cancel(id, '?undo=true');
  await until('it stops', () => isState(instanceId, 'stopping'));
  const { rows } = await system.db.query('select mode from leases where holder = $1', [`task-${id}`]);
  expect(rows).toEqual([{ mode: 'exclusive' }]);
  expect(await ended(system, id)).toMatchObject({ status: 'TERMINATED' });
}, 30_000);
