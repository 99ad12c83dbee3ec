// What else can be said of a job: artifacts, being alone, a decision first, no start of its machine, and folders that go.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openPostgres } from '../../clients/postgres.ts';
import { quietJobs } from '../../store/jobs.ts';
import { jobEnds, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { ask, ended, makeMachine } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { jobs: { keep_success_hours: 0 }, confirmation: { timeout_seconds: 300 } } });
}, 90_000);
afterAll(() => system?.stop(), 30_000);

const machine = (name: string, more: Readonly<Record<string, unknown>> = {}) => makeMachine(system, name, more);

const artifacts = z.looseObject({
  artifacts: z.array(z.object({ path: z.string(), sha256: z.string(), bytes: z.number(), href: z.string() })),
});

test('its artifacts are fetched when it has completed, and can be read while its machine is off', async () => {
  const { instanceId } = await machine('makes');
  const id = await startJob(system, 'makes', 'mkdir -p out && printf model > out/model.bin', {
    artifacts: ['out/model.bin'],
    on_finish: 'stop_on_success',
  });
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
  await until('it is stopped', async () => (await jobNow(system, id))['auto_stopped'] === true);
  expect(await system.cloud.stateOf(instanceId)).toBe('stopped');
  const [artifact] = artifacts.parse(await jobNow(system, id)).artifacts;
  expect(artifact).toMatchObject({ path: 'out/model.bin', bytes: 5 });
  expect((await system.api.call('GET', artifact?.href ?? '')).text).toBe('model');
  const none = await startJob(system, 'makes', 'true', { artifacts: ['not/there'] });
  expect(await jobEnds(system, none)).toMatchObject({ status: 'completed', artifacts: [] });
}, 180_000);

test('one that is to be alone waits for the others, and the others for it', async () => {
  const { home } = await machine('alone', { job_slots: 3 });
  const held = `touch "$FERMATA_JOB_ID"; until [ -e go ]; do sleep 0.2; done`;
  const first = await startJob(system, 'alone', held);
  await jobIs(system, first, ['running']);
  const alone = await startJob(system, 'alone', 'sleep 1', { exclusive: true });
  const later = await startJob(system, 'alone', 'true');
  const says = (id: string, what: string) =>
    until(`it says: ${what}`, async () => (await jobNow(system, id)).reason?.includes(what));
  await says(alone, 'waits to be alone on the machine');
  await says(later, alone);
  writeFileSync(join(home, 'go'), '');
  const ends = await Promise.all([first, alone, later].map((id) => jobEnds(system, id)));
  const [one, two, three] = ends.map(({ attempts = [] }) => attempts[0]);
  expect(ends.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
  expect(Date.parse(one?.ended ?? '')).toBeLessThanOrEqual(Date.parse(two?.started ?? ''));
  expect(Date.parse(two?.ended ?? '')).toBeLessThanOrEqual(Date.parse(three?.started ?? ''));
}, 180_000);

test('on a guarded member it waits for a decision, which covers the starts of its machine', async () => {
  const { instanceId } = await machine('guarded', { guarded: true });
  await system.cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' });
  const task = await ask(system, 'guarded', 'jobs', { command: 'echo ran' });
  await system.api.reach(task, 'AWAITING_CONFIRMATION');
  expect((await system.api.call('GET', '/api/v1/jobs?member=guarded')).body).toEqual([]);
  expect((await system.api.call('GET', '/api/v1/jobs?member=%00')).status).toBe(422);
  await system.api.confirm(task, true);
  const twice = await system.api.call('POST', '/api/v1/members/guarded/jobs', { command: 'true', member: 'other' });
  expect(twice).toMatchObject({ status: 422, body: { detail: [{ loc: ['body', 'member'] }] } });
  const { result } = await ended(system, task);
  const id = z.looseObject({ job_id: z.string() }).parse(result).job_id;
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
}, 120_000);

test('one that may not start its machine waits until somebody does', async () => {
  const { instanceId } = await machine('asleep');
  await system.cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' });
  const id = await startJob(system, 'asleep', 'true', { start: 'never' });
  await until('it says so', async () => (await jobNow(system, id)).reason?.includes('start=never'));
  expect(await system.cloud.stateOf(instanceId)).toBe('stopped');
  await ended(system, await ask(system, 'asleep', 'start', {}));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
}, 120_000);

test('its folder is removed from its machine when it is kept no longer, and only then', async () => {
  const { home } = await machine('tidy', { job_slots: 2 });
  const folder = (id: string) => join(home, '.fermata', 'jobs', id);
  const gone = await startJob(system, 'tidy', 'true');
  const failed = await startJob(system, 'tidy', 'exit 1', { max_retries: 0 });
  const live = await startJob(system, 'tidy', 'sleep 300');
  const byHand = await startJob(system, 'tidy', 'true');
  const ends = [gone, failed, byHand].map((id) => jobEnds(system, id));
  await Promise.all([...ends, jobIs(system, live, ['running'])]);
  expect(existsSync(folder(gone))).toBe(true);
  rmSync(folder(byHand), { recursive: true });
  // The machine counts in seconds.
  await system.db.query(`update jobs set ended_at = ended_at - interval '5 seconds' where id = any($1)`, [
    [gone, byHand],
  ]);
  // By the clock of the machine it is too early for this one.
  await system.db.query(`update jobs set ended_at = ended_at - interval '169 hours' where id = $1`, [failed]);
  await until(
    'it is gone',
    async () => {
      const handle = await system.temporal.workflow.start('reconcile', {
        taskQueue: system.taskQueue,
        workflowId: `${system.taskQueue}-now-${Date.now()}`,
      });
      await handle.result();
      return !existsSync(folder(gone));
    },
    60_000,
  );
  expect([existsSync(folder(failed)), existsSync(folder(live))]).toEqual([true, true]);
  for (const id of [gone, byHand])
    expect(await jobNow(system, id)).toMatchObject({ folder_removed: expect.any(String) });
  expect(await jobNow(system, failed)).toMatchObject({ status: 'failed', folder_removed: null });
  await system.api.call('DELETE', `/api/v1/jobs/${live}`);
  await jobEnds(system, live);
}, 180_000);

test('a job whose workflow was ended by hand is closed, and gives its machine back', async () => {
  await machine('lost');
  const id = await startJob(system, 'lost', 'sleep 300');
  await jobIs(system, id, ['running']);
  await system.temporal.workflow.getHandle(id).terminate();
  await system.db.query(`update jobs set looked_at = looked_at - interval '1 hour' where id = $1`, [id]);
  const handle = await system.temporal.workflow.start('reconcile', {
    taskQueue: system.taskQueue,
    workflowId: `${system.taskQueue}-lost`,
  });
  await handle.result();
  const job = await jobNow(system, id);
  expect(job).toMatchObject({ status: 'failed' });
  expect(job.reason).toContain('workflow is terminated');
  expect((await system.db.query('select 1 from leases where holder = $1', [id])).rowCount).toBe(0);
}, 120_000);

test('of jobs that nobody looks at, each comes by in the end, however many there are', async () => {
  await machine('quiet');
  const id = await startJob(system, 'quiet', 'true');
  await jobEnds(system, id);
  await system.db.query(
    `insert into jobs select (jsonb_populate_record(j, jsonb_build_object('id', 'quiet-' || n, 'state', 'queued',
       'position', -n, 'ended_at', null, 'looked_at', null))).* from jobs j, generate_series(1, 3) n where id = $1`,
    [id],
  );
  const postgres = openPostgres(system.databaseUrl, 1);
  const seen = new Set<string>();
  for (let run = 0; run < 60; run += 1) for (const job of await quietJobs(postgres.db, 0, 1)) seen.add(job.id);
  await postgres.close();
  await system.db.query(`delete from jobs where id like 'quiet-%'`);
  expect([...seen].sort()).toEqual(['quiet-1', 'quiet-2', 'quiet-3']);
}, 60_000);

test('a cancellation of its workflow, as from the Web UI, ends the job on its machine first', async () => {
  const { home } = await machine('by-hand');
  const id = await startJob(system, 'by-hand', 'trap "echo saved > saved; exit 3" TERM; while :; do sleep 0.1; done');
  await jobIs(system, id, ['running']);
  await system.temporal.workflow.getHandle(id).cancel();
  expect(await jobEnds(system, id)).toMatchObject({ status: 'cancelled', cancel_requested_by: 'temporal' });
  expect(existsSync(join(home, 'saved'))).toBe(true);
}, 120_000);
