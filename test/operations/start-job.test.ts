// Starting a job: what its plan holds, what defaults are, and which parameters are refused before anything happens.
import type { JsonObject } from '../../domain/task.ts';
import { isJobSpec } from '../../domain/job.ts';
import { operationOf } from '../../operations/index.ts';
import { failureOf, instance, TASK_ID } from './instances.ts';
import { inCloud, member } from './members.ts';

function planned(params: JsonObject, state: 'running' | 'stopped' | 'terminated' = 'running') {
  const prepared = operationOf('start_job').prepare({ member: 'gpu', command: 'train', ...params });
  if (prepared.effect === 'read') throw new Error('a read');
  return prepared.plan([instance({ state })], { region: 'eu-west-1', agents: {}, member: inCloud });
}

const specOf = (params: JsonObject) => planned(params).steps[0]?.args.spec;

test('what is not said is as documented', () => {
  const spec = specOf({});
  expect(isJobSpec(spec)).toBe(true);
  expect(spec).toMatchObject({
    ...{ command: 'train', restartCommand: null, cwd: '/srv', maxRetries: 3, retryBackoffS: 5, timeoutS: 0 },
    ...{ resume: 'onInterruption', onFinish: 'keep', start: 'if_stopped', exclusive: false, priority: 0 },
    ...{ checkpoint: null, dependsOn: [], artifacts: [], labels: {} },
  });
  const [step] = planned({}).steps;
  expect(step).toMatchObject({ call: 'start_job', target: member.target, args: { member: 'm-1' } });
  expect(planned({}, 'stopped').steps).toHaveLength(1);
});

test.each<[JsonObject, JsonObject]>([
  [{ run_from: 'src' }, { cwd: '/srv/src' }],
  [{ run_from: '/data' }, { cwd: '/data' }],
  [{ depends_on: ['job-000000000000', 'job-000000000000'] }, { dependsOn: ['job-000000000000'] }],
  [
    { checkpoint: { path: 'out', signal: 'USR1' } },
    { checkpoint: { path: 'out', command: null, signal: 'USR1', maxAgeS: 1_800, graceS: 60 } },
  ],
])('%j', (params, spec) => {
  expect(specOf(params)).toMatchObject(spec);
});

test.each<[JsonObject, string]>([
  [{ command: '' }, 'command'],
  [{ command: 'x'.repeat(8_193) }, 'command'],
  [{ command: 'a\0b' }, 'command'],
  [{ max_retries: 11 }, 'max_retries'],
  [{ max_retries: 1.5 }, 'max_retries'],
  [{ resume: 'on_interruption' }, 'resume'],
  [{ checkpoint: {} }, 'checkpoint'],
  [{ checkpoint: { path: 'out', signal: 'KILL' } }, 'signal'],
  [{ checkpoint: { path: 'out', grace_s: 0 } }, 'grace_s'],
  [{ depends_on: ['nonsense'] }, 'depends_on'],
  [{ artifacts: ['../etc/passwd'] }, 'artifacts'],
  [{ env: { 'NO-NAME': 'x' } }, 'env'],
  [{ secrets: { A: 'value' } }, 'secrets'],
  [{ secrets: { A: { env: 'A', file: 'b' } } }, 'secrets'],
  [{ on_finish: 'terminate' }, 'on_finish'],
  [{ priority: 101 }, 'priority'],
  [{ surprise: true }, 'surprise'],
])('%j is refused', (params, field) => {
  const failure = failureOf(() => planned(params));
  expect(failure.type).toBe('InvalidParams');
  expect(failure.message).toContain(field);
});

test('a machine that is gone runs no job', () => {
  expect(failureOf(() => planned({}, 'terminated'))).toMatchObject({ type: 'MemberUnusable' });
});

test('the answer names the job, the same whenever it is asked', () => {
  const prepared = operationOf('start_job').prepare({ member: 'gpu', command: 'train' });
  if (prepared.effect === 'read') throw new Error('a read');
  const answer = () => prepared.result({ taskId: TASK_ID, facts: { member: 'gpu' }, outcomes: [] });
  expect(answer()).toMatchObject({ status: 'ACCEPTED', member: 'gpu', job_id: expect.stringMatching(/^job-/) });
  expect(answer()).toEqual(answer());
});

test.each<[JsonObject, JsonObject, boolean]>([
  [{}, {}, false],
  [{ force: true }, { force: true }, true],
  [{ spare_jobs: true }, { spare_jobs: true }, false],
])('a stop with %j under a job', (params, args, held) => {
  const prepared = operationOf('stop_instance').prepare({ instance_id: 'vm', ...params });
  if (prepared.effect === 'read') throw new Error('a read');
  const plan = prepared.plan([instance()], { region: 'eu-west-1', agents: {}, jobs: ['job-000000000000'] });
  expect(plan.steps[0]?.args).toEqual(args);
  expect(plan.guarded).toEqual(held ? ['job-000000000000'] : undefined);
  expect(plan.says).toContain('job-000000000000: cut off there');
  const without = prepared.plan([instance()], { region: 'eu-west-1', agents: {} });
  expect(without.guarded).toBeUndefined();
  expect(without.says).not.toContain('job-');
});
