// The rules of jobs as tables: what follows an end, when a machine is stopped after one, and what attempts add up to.
import fc from 'fast-check';
import type { JobAttempt, JobEndState, JobNext, JobSpec, LaunchEnd } from '../../domain/job.ts';
import {
  attemptsOver,
  isEnded,
  isJobId,
  JOB_STATES,
  jobIdOf,
  keptAttempts,
  mergedAttempts,
  nextOf,
  ranSeconds,
  stopsAfter,
  withOpenAttempt,
} from '../../domain/job.ts';

const failed: LaunchEnd = { kind: 'failed', exitCode: 7, why: 'no retry is left' };
const cut: LaunchEnd = { kind: 'interrupted', why: 'booted again', begun: true, stopped: false };
const stopped: LaunchEnd = { ...cut, stopped: true };
const ends = (state: JobEndState, why: string): JobNext => ({ next: 'end', state, why });
const resumes = (waits: boolean): JobNext => ({ next: 'resume', why: 'booted again', waits });

test.each<[LaunchEnd, JobSpec['resume'], number, JobNext]>([
  [{ kind: 'completed' }, 'never', 1, ends('completed', 'It exited with 0.')],
  [{ kind: 'cancelled' }, 'always', 1, ends('cancelled', 'It was cancelled.')],
  [{ kind: 'lost', why: 'terminated' }, 'always', 1, ends('lost', 'terminated')],
  [failed, 'always', 1, ends('failed', 'no retry is left')],
  [cut, 'never', 1, ends('failed', 'Interrupted, and not to be resumed: booted again')],
  [cut, 'onInterruption', 999, resumes(false)],
  [cut, 'always', 1, resumes(false)],
  [stopped, 'never', 1, ends('failed', 'Interrupted, and not to be resumed: booted again')],
  [stopped, 'onInterruption', 1, resumes(true)],
  [stopped, 'always', 1, resumes(false)],
  [{ ...cut, begun: false }, 'never', 1, resumes(false)],
  [{ ...stopped, begun: false }, 'always', 1, resumes(true)],
  [cut, 'always', 1_000, ends('failed', 'Given up after 1000 launches: booted again')],
])('%j with resume %s after %i launches', (end, resume, generation, next) => {
  expect(nextOf(end, { resume, generation })).toEqual(next);
});

test.each<[JobSpec['onFinish'], readonly JobEndState[]]>([
  ['keep', []],
  ['stop', ['completed', 'failed']],
  ['stop_on_success', ['completed']],
  ['stop_on_failure', ['failed']],
])('%s stops the machine after %j, and never after a cancel or a loss', (onFinish, states) => {
  const all: readonly JobEndState[] = ['completed', 'failed', 'cancelled', 'lost'];
  expect(all.filter((state) => stopsAfter(onFinish, state))).toEqual(states);
});

const attempt = (generation: number, number: number, exitCode: number | null = 0): JobAttempt => ({
  generation,
  attempt: number,
  exitCode,
  startedAt: '2026-01-01T00:00:00Z',
  endedAt: '2026-01-01T00:01:30Z',
});

test('attempts are known once each, in their order, whatever reports overlap', () => {
  const before = [attempt(1, 1, null), attempt(2, 1)];
  expect(mergedAttempts(before, [attempt(2, 2), attempt(1, 1, 137)])).toEqual([
    attempt(1, 1, 137),
    attempt(2, 1),
    attempt(2, 2),
  ]);
  const many = Array.from({ length: 300 }, (_, index) => attempt(index + 1, 1));
  const { kept, othersRanS } = keptAttempts(mergedAttempts(many, []));
  expect(kept).toEqual(many.slice(100));
  // What the first ones took counts for as long as the job is there.
  expect(othersRanS).toBeGreaterThan(0);
  expect(othersRanS + ranSeconds(kept)).toBe(ranSeconds(many));
});

test('an attempt of which nobody saw the end lasted for as long as it was seen to, and is told when it is over', () => {
  const from = (startedAt: string, endedAt: string) => ({ ...attempt(1, 2, null), startedAt, endedAt });
  const looks = [
    from('2026-01-01T00:02:00.000Z', '2026-01-01T00:02:10.000Z'),
    from('2026-01-01T00:02:00.000Z', '2026-01-01T00:03:10.000Z'),
    // Of a checkpoint that was being made when its runner ended, and of a heartbeat older than the last look.
    from('2026-01-01T00:02:30.000Z', '2026-01-01T00:03:00.000Z'),
  ];
  const attempts = looks.reduce<readonly JobAttempt[]>(withOpenAttempt, [attempt(1, 1)]);
  expect(attempts).toEqual([attempt(1, 1), from('2026-01-01T00:02:00.000Z', '2026-01-01T00:03:10.000Z')]);
  expect(ranSeconds(attempts)).toBe(160);
  const now = { state: 'running', generation: 1, attempt: 2, attempts } as const;
  expect(attemptsOver(now)).toEqual([attempt(1, 1)]);
  expect(attemptsOver({ ...now, state: 'interrupted' })).toEqual(attempts);
  expect(attemptsOver({ ...now, generation: 2, attempt: 1 })).toEqual(attempts);
  expect(mergedAttempts(attempts, [attempt(1, 2, 3)])).toEqual([attempt(1, 1), attempt(1, 2, 3)]);
});

test('the time of attempts adds up, and a clock that was set back takes nothing away', () => {
  const back = { ...attempt(1, 2), endedAt: '2025-12-31T23:00:00Z' };
  expect(ranSeconds([attempt(1, 1), attempt(2, 1), back])).toBe(180);
  expect(ranSeconds([])).toBe(0);
});

test('the id of a job is a form of that of its task, and always the same', () => {
  fc.assert(
    fc.property(fc.uuid(), (taskId) => {
      expect(isJobId(jobIdOf(taskId))).toBe(true);
      expect(jobIdOf(taskId)).toBe(jobIdOf(taskId));
    }),
  );
  const ids = new Set(Array.from({ length: 1_000 }, () => jobIdOf(crypto.randomUUID())));
  expect(ids.size).toBe(1_000);
  for (const text of ['job-', 'job-00000000000', 'job-0000000000000', 'job-00000000000A', 'task-000000000000']) {
    expect(isJobId(text)).toBe(false);
  }
});

test('four of the states are ends', () => {
  expect(JOB_STATES.filter(isEnded)).toEqual(['completed', 'failed', 'cancelled', 'lost']);
});
