// Jobs from HTTP to a machine of the sandbox and back: to the end, again after failures, in line, and cancelled.
import { documentOf, judgeOf } from '../contract/document.ts';
import { keysOf } from '../contract/shapes.ts';
import { ask, ended, register } from '../kit/members.ts';
import { jobEnds, jobEvents, jobIs, jobNow, logOf, startJob } from '../kit/jobs.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await register(system, 'gpu-train-01');
}, 90_000);
afterAll(() => system?.stop(), 30_000);

test('a job runs to its end, and its log is kept', async () => {
  const id = await startJob(system, 'gpu-train-01', 'echo "hello $NAME"; sleep 1; echo bye >&2', {
    env: { NAME: 'you' },
    labels: { kind: 'greeting' },
  });
  expect(id).toMatch(/^job-[a-z0-9]{12}$/);
  const job = await jobEnds(system, id);
  expect(job).toMatchObject({ status: 'completed', exit_code: 0, retries: 0, launches: 1, phase: 'closed' });
  expect(job.attempts).toMatchObject([{ launch: 1, attempt: 1, exit_code: 0 }]);
  expect((await logOf(system, id)).toString()).toMatch(/attempt 1 begins\nhello you\nbye\n/);
  const says = (await jobEvents(system, id)).map(({ status }) => status);
  expect(says).toEqual(['queued', 'starting', 'running', 'completed']);
}, 120_000);

test('a failure is tried again with the restart command, and counts', async () => {
  const id = await startJob(system, 'gpu-train-01', 'exit 7', {
    restart_command: 'echo again $FERMATA_ATTEMPT; [ $FERMATA_ATTEMPT = 3 ]',
    retry_backoff_s: 1,
  });
  const job = await jobEnds(system, id);
  expect(job).toMatchObject({ status: 'completed', retries: 2, launches: 1 });
  expect(job.attempts).toMatchObject([{ exit_code: 7 }, { exit_code: 1 }, { exit_code: 0 }]);
}, 120_000);

test('a job whose exit code says that no retry helps has failed', async () => {
  const id = await startJob(system, 'gpu-train-01', 'exit 64', { no_retry_exit_codes: [64] });
  expect(await jobEnds(system, id)).toMatchObject({
    status: 'failed',
    exit_code: 64,
    retries: 0,
    started: expect.any(String),
  });
}, 120_000);

test('what cannot be begun has failed, and says why', async () => {
  const id = await startJob(system, 'gpu-train-01', 'true', { run_from: '/no/such/folder' });
  const job = await jobEnds(system, id);
  expect(job).toMatchObject({ status: 'failed', launches: 1, exit_code: null });
  expect(job.reason).toContain('/no/such/folder');
}, 120_000);

test('jobs wait for the one slot in the order of their priority, and one that waits is cancelled at once', async () => {
  const first = await startJob(system, 'gpu-train-01', 'sleep 600');
  await jobIs(system, first, ['running']);
  const low = await startJob(system, 'gpu-train-01', 'echo low', { priority: -1 });
  const high = await startJob(system, 'gpu-train-01', 'echo high', { priority: 5 });
  const dropped = await startJob(system, 'gpu-train-01', 'echo never');
  expect(await jobNow(system, low)).toMatchObject({ status: 'queued', queue_position: 2 });
  expect(await jobNow(system, high)).toMatchObject({ status: 'queued', queue_position: 0 });
  expect((await system.api.call('DELETE', `/api/v1/jobs/${dropped}`)).status).toBe(202);
  expect(await jobEnds(system, dropped)).toMatchObject({ status: 'cancelled', launches: 0 });
  expect((await system.api.call('DELETE', `/api/v1/jobs/${dropped}`)).status).toBe(409);
  expect((await system.api.call('DELETE', `/api/v1/jobs/${first}`)).status).toBe(202);
  expect(await jobEnds(system, first)).toMatchObject({ status: 'cancelled' });
  const ends = await Promise.all([high, low].map((id) => jobEnds(system, id)));
  expect(ends).toMatchObject([{ status: 'completed' }, { status: 'completed' }]);
  const began = ends.map(({ attempts = [] }) => attempts[0]?.started ?? '');
  expect(began).toEqual([...began].sort());
}, 180_000);

test('one job waits for another to complete, and fails when that does not', async () => {
  const good = await startJob(system, 'gpu-train-01', 'sleep 1');
  const bad = await startJob(system, 'gpu-train-01', 'exit 1', { max_retries: 0 });
  const after = await startJob(system, 'gpu-train-01', 'echo after', { depends_on: [good], priority: 9 });
  const never = await startJob(system, 'gpu-train-01', 'echo never', { depends_on: [good, bad] });
  expect(await jobEnds(system, after)).toMatchObject({ status: 'completed' });
  const job = await jobEnds(system, never);
  expect(job).toMatchObject({ status: 'failed', launches: 0 });
  expect(job.reason).toContain(bad);
  // It never came to the machine, where nobody is now, and has nothing to stop.
  const late = await startJob(system, 'gpu-train-01', 'echo never', { depends_on: [bad], on_finish: 'stop' });
  expect(await jobEnds(system, late)).toMatchObject({ status: 'failed', launches: 0, stop_task_id: null });
}, 180_000);

test('the document tells every field of a job, and of what it may be asked to be', async () => {
  const id = await startJob(system, 'gpu-train-01', 'sleep 1; exit 3', { max_retries: 0, checkpoint: { path: 'at' } });
  await jobEnds(system, id);
  const answer = await system.api.call('GET', `/api/v1/jobs/${id}`);
  const document = await documentOf(system.api);
  const { get } = document.paths['/api/v1/jobs/{job_id}'] ?? {};
  expect(get && judgeOf(document)(get, answer)).toBeUndefined();
  expect(answer.body).toMatchObject({ attempts: [{ exit_code: 3 }], pid_alive: false, auto_stopped: false });
  expect(Object.keys(document.components.schemas['JobAnswer']?.properties ?? {})).toEqual(
    expect.arrayContaining(keysOf(answer.body)),
  );
  const { post } = document.paths['/api/v1/members/{member_id}/jobs'] ?? {};
  const body = post?.requestBody?.content['application/json']?.schema;
  expect(body).toMatchObject({ properties: { command: {}, checkpoint: {}, depends_on: {} }, required: ['command'] });
  expect(Object.keys(post?.responses ?? {})).not.toContain('409');
}, 60_000);

test('a job of another tenant, or of none, is not found; one that waits for no job is refused', async () => {
  const paths = ['', '/events', '/log', '/log?follow=1'].map((rest) => `/api/v1/jobs/job-000000000000${rest}`);
  for (const path of paths) expect((await system.api.call('GET', path)).status).toBe(404);
  expect((await system.api.call('POST', '/api/v1/jobs/nonsense/checkpoint')).status).toBe(404);
  const task = await ended(
    system,
    await ask(system, 'gpu-train-01', 'jobs', { command: 'true', depends_on: ['job-000000000000'] }),
  );
  expect(task).toMatchObject({ status: 'FAILED', error: "Job 'job-000000000000' not found." });
}, 60_000);

test('a stopped machine is started for a job, and stopped again when it wants that', async () => {
  await register(system, 'vm-dev-01');
  const id = await startJob(system, 'vm-dev-01', 'echo on it', { on_finish: 'stop' });
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
  await until('it is stopped', async () => (await jobNow(system, id))['auto_stopped'] === true);
  expect(await system.cloud.stateOf('vm-dev-01')).toBe('stopped');
  expect((await logOf(system, id)).toString()).toContain('on it');
}, 120_000);
