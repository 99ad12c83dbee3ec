// Trouble beside the jobs themselves: a cloud that refuses, folders that are away, steps that fail, machines that go while one waits.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RebootInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { jobEnds, jobEvents, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { ended, makeMachine } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const HELD = 'until [ -e ~/released ]; do sleep 0.2; done';

/** A secret that is given when the test says so, which is between the readiness of a machine and the launch on it. */
const folder = mkdtempSync(join(tmpdir(), 'fermata-trouble-'));
const SLOW = `cd ${folder} && touch asked && until [ -e given ]; do sleep 0.1; done && echo value`;

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { secrets: { commands: { slow: ['sh', '-c', SLOW] } } } });
}, 90_000);
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

const machine = (name: string, more: Readonly<Record<string, unknown>> = {}) => makeMachine(system, name, more);

const stop = (instance: string, more: Readonly<Record<string, unknown>> = {}) =>
  system.api.submit('stop_instance', { instance_id: instance, ...more });

const says = (id: string, what: string) =>
  until(`it says: ${what}`, async () => (await jobNow(system, id)).reason?.includes(what), 60_000);

test('a cloud that refuses for a while ends no job', async () => {
  const { instanceId } = await machine('refused');
  await system.cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' });
  await system.cloud.fault({ action: '*', kind: 'error', code: 'AuthFailure', status: 401, times: -1 });
  const id = await startJobRow('refused');
  await says(id, 'refuses these credentials');
  await system.cloud.clearFaults();
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 180_000);

/** A plan needs the cloud too, so it answers until the job is accepted. */
async function startJobRow(name: string): Promise<string> {
  await system.cloud.clearFaults();
  const id = await startJob(system, name, 'true');
  await system.cloud.fault({ action: '*', kind: 'error', code: 'AuthFailure', status: 401, times: -1 });
  return id;
}

test('a machine that does not get ready is not held: it can be stopped, and the job goes on when it can', async () => {
  const step = { name: 'disk', kind: 'exec', command: '[ -e ~/mounted ]', required: true, retries: 0 };
  const { instanceId, home } = await machine('unready', { ready_steps: [step] });
  const id = await startJob(system, 'unready', 'true');
  await says(id, 'ready step disk failed');
  await until('it holds nothing', async () => {
    const { rowCount } = await system.db.query('select 1 from leases where holder = $1', [id]);
    return rowCount === 0;
  });
  expect(await ended(system, await stop(instanceId))).toMatchObject({ status: 'COMPLETED' });
  mkdirSync(join(home, 'mounted'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 180_000);

const change = (name: string, field: string, value: unknown) =>
  system.db.query(
    `update members set settings = jsonb_set(settings, array[$2], $3::jsonb) where settings->>'name' = $1`,
    [name, field, JSON.stringify(value)],
  );

test('a launch of which nobody knows whether it came to its machine is looked for, and begun once', async () => {
  const { home } = await machine('doubted');
  const id = await startJob(system, 'doubted', 'echo ran >> witness', { secrets: { SLOW: { command: 'slow' } } });
  await until('it is about to be launched', () => existsSync(join(folder, 'asked')), 60_000);
  const { rows } = await system.db.query(
    `select settings->>'username' as name from members where settings->>'name' = $1`,
    ['doubted'],
  );
  await change('doubted', 'username', 'nobody');
  writeFileSync(join(folder, 'given'), '');
  await says(id, 'so it is not known how it is');
  await change('doubted', 'username', rows[0].name);
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
  expect(readFileSync(join(home, 'witness'), 'utf8')).toBe('ran\n');
}, 180_000);

test('a job that is cancelled while its machine is silent for long gives its slot back', async () => {
  await machine('silent');
  const id = await startJob(system, 'silent', HELD);
  await jobIs(system, id, ['running']);
  await change('silent', 'port', 1);
  await says(id, 'so it is not known how it is');
  expect((await system.api.call('DELETE', `/api/v1/jobs/${id}`)).status).toBe(202);
  expect(await jobNow(system, id)).toMatchObject({ status: 'running' });
  await system.db.query(`update jobs set looked_at = looked_at - interval '10 minutes' where id = $1`, [id]);
  expect(await jobEnds(system, id)).toMatchObject({ status: 'cancelled' });
  expect((await jobEvents(system, id)).some(({ says: words }) => words.includes('was not ended'))).toBe(true);
  const { rowCount } = await system.db.query('select 1 from leases where holder = $1', [id]);
  expect(rowCount).toBe(0);
}, 180_000);

test('a folder that is away when a job is to go on is waited for', async () => {
  const { instanceId, home } = await machine('mounts');
  mkdirSync(join(home, 'data'));
  const id = await startJob(system, 'mounts', HELD, { run_from: 'data', restart_command: 'true' });
  await jobIs(system, id, ['running']);
  renameSync(join(home, 'data'), join(home, 'away'));
  await system.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
  await says(id, 'cannot be entered');
  renameSync(join(home, 'away'), join(home, 'data'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
}, 180_000);

test('a job that waits for its machine is lost with it', async () => {
  const { instanceId } = await machine('given-up');
  const id = await startJob(system, 'given-up', `echo 1 > checkpoint; ${HELD}`, { checkpoint: { path: 'checkpoint' } });
  await jobIs(system, id, ['running']);
  expect(await ended(system, await stop(instanceId))).toMatchObject({ status: 'COMPLETED' });
  await says(id, 'when somebody starts its machine again');
  await system.cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'lost' });
}, 180_000);

test('where a member is reached is not changed under a job, which would be launched beside itself', async () => {
  const { home, member } = await machine('stays');
  const id = await startJob(system, 'stays', HELD);
  await jobIs(system, id, ['running']);
  const path = `/api/v1/members/${member}`;
  for (const change of [{ port: 2_223 }, { username: 'other' }]) {
    const { status, body } = await system.api.call('PATCH', path, change);
    expect([status, body]).toMatchObject([409, { code: 'member_in_use' }]);
  }
  expect((await system.api.call('PATCH', path, { category: 'kept' })).status).toBe(200);
  mkdirSync(join(home, 'released'));
  await jobEnds(system, id);
  expect((await system.api.call('PATCH', path, { username: 'other' })).status).toBe(200);
}, 120_000);

test('a forced stop cuts off what its plan named, by whatever name it was asked for, and nothing that began since', async () => {
  const { home } = await machine('forced', { job_slots: 2 });
  const named = await startJob(system, 'forced', HELD);
  await jobIs(system, named, ['running']);
  const task = await stop('forced', { force: true });
  const held = await system.api.reach(task, 'AWAITING_CONFIRMATION');
  expect(held.plan?.says).toContain(named);
  const later = await startJob(system, 'forced', HELD);
  await jobIs(system, later, ['running']);
  await system.api.confirm(task, true);
  const refused = await ended(system, task);
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'conflict' });
  expect(refused.error).toContain(later);
  mkdirSync(join(home, 'released'));
  for (const id of [named, later])
    expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 120_000);

test('a checkpoint that is being written is none', async () => {
  const { instanceId, home } = await machine('writes');
  const writes = `until [ -e released ]; do echo more >> checkpoint; sleep 0.2; done`;
  const id = await startJob(system, 'writes', writes, { checkpoint: { path: 'checkpoint' } });
  await until('it writes', () => existsSync(join(home, 'checkpoint')));
  const refused = await ended(system, await stop(instanceId));
  expect(refused.error).toContain('is writing its checkpoint all the time');
  mkdirSync(join(home, 'released'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
  rmSync(join(home, 'released'), { recursive: true });
}, 120_000);

test('what a job made on a guarded member is fetched without another decision', async () => {
  await machine('closed', { guarded: true });
  const task = await system.api.submit('start_job', {
    member: 'closed',
    command: 'echo model > model.txt',
    artifacts: ['model.txt'],
  });
  await system.api.reach(task, 'AWAITING_CONFIRMATION');
  await system.api.confirm(task, true);
  const { result } = await ended(system, task);
  const job = await jobEnds(system, String(result?.job_id));
  expect(job).toMatchObject({ status: 'completed', artifacts: [{ path: 'model.txt', bytes: 6 }] });
}, 120_000);
