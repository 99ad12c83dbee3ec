// What is sent to begin a job is refused when it makes no sense, and so is what comes back.
import type { JobLaunch } from '../../activities/remote/job.ts';
import { cleanJobs, launchJob, logJob, lookJob } from '../../activities/remote/job.ts';
import { parseJob, parseLog, parseLook } from '../../activities/remote/job-report.ts';
import { Failure } from '../../domain/failures.ts';
import { JOB_SCRIPTS, jobSpec } from './job-machine.ts';

const framed = (lines: string) => `fermata 1\n${lines}end\n`;
const BASE =
  'state failed\nboot_id b\ngeneration 2\nattempt 1\nstarted 1700000000\nupdated 1700000060\nexit 3\n' +
  'ran 1 1 lost 1600000000 1600000001\nran 2 1 3 1700000001 1700000060\ncommand gone\nheartbeat_age -4\n' +
  'log_start 10\nlog_size 20\n';
const failureOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return error instanceof Failure ? error.type : error;
  }
  return 'nothing was thrown';
};

test('a whole answer is read', () => {
  const status = {
    state: 'failed',
    bootId: 'b',
    launched: false,
    generation: 2,
    attempt: 1,
    exitCode: 3,
    attempts: [
      {
        generation: 1,
        attempt: 1,
        exitCode: null,
        startedAt: '2020-09-13T12:26:40.000Z',
        endedAt: '2020-09-13T12:26:41.000Z',
      },
      {
        generation: 2,
        attempt: 1,
        exitCode: 3,
        startedAt: '2023-11-14T22:13:21.000Z',
        endedAt: '2023-11-14T22:14:20.000Z',
      },
    ],
    startedAt: '2023-11-14T22:13:20.000Z',
    updatedAt: '2023-11-14T22:14:20.000Z',
    heartbeatAgeSeconds: 0,
    commandAlive: false,
    timedOut: null,
    signal: null,
    logStart: 10,
    logSize: 20,
    asked: null,
  };
  expect(parseJob(`Welcome\n${framed(BASE)}`)).toEqual(status);
  const more = 'launched yes\ntimed_out total\nsignal TERM\nasked 1700000000 missed\n';
  expect(parseJob(framed(`${BASE}${more}`))).toEqual({
    ...status,
    launched: true,
    timedOut: 'total',
    signal: 'TERM',
    asked: { at: '2023-11-14T22:13:20.000Z', outcome: 'missed' },
  });
  expect(parseLook(framed(BASE))).toEqual({
    job: status,
    logTail: '',
    checkpoint: null,
    checkpointSaid: null,
    spotNotice: null,
    gpuOrphans: [],
    gpuHeldMib: null,
    diskFreeBytes: null,
  });
  const tail = Buffer.from('é!').subarray(1).toString('base64');
  const sights = `log ${tail}\ncheckpoint 5 6\ncheckpoint_exit 1\ncheckpoint_said aGk=\nspot_notice e30=\ngpu_held 7\ngpu_orphan 8 9 gone\ndisk_free_kb 2\n`;
  expect(parseLook(framed(`${BASE}${sights}`))).toMatchObject({
    logTail: '!',
    checkpoint: { exists: true, ageSeconds: 5, bytes: 6 },
    checkpointSaid: { exitCode: 1, text: 'hi' },
    spotNotice: '{}',
    gpuOrphans: [{ pid: 8, mib: 9, process: 'gone' }],
    gpuHeldMib: 7,
    diskFreeBytes: 2_048,
  });
  expect(parseJob(framed('state absent\nboot_id b\n'))).toEqual({ state: 'absent', bootId: 'b', launched: false });
  expect(parseJob(framed('state busy\nboot_id b\ngeneration 4\n'))).toMatchObject({ state: 'busy', generation: 4 });
  expect(parseJob(framed('state setup_failed\nwhy w6k=\n'))).toEqual({ state: 'setup_failed', why: 'é' });
});

test('an age that a job gave its files makes a time that can be kept', () => {
  const { job } = parseLook(framed(BASE.replace('heartbeat_age -4', 'heartbeat_age 999999999999999')));
  const ageSeconds = 'attempts' in job ? (job.heartbeatAgeSeconds ?? 0) : 0;
  expect(new Date(Date.now() - ageSeconds * 1_000).toISOString()).toMatch(/^1\d{3}-/);
});

test('bytes of the log follow its report, and no more of them than it says', () => {
  const head = Buffer.from(framed('state log\nlog_start 1\nlog_size 9\noffset 4\nnext 6\n'));
  const body = Buffer.from([0, 255, 10]);
  const log = { logStart: 1, logSize: 9, offset: 4 };
  expect(parseLog(Buffer.concat([head, body]))).toEqual({ ...log, bytes: body.subarray(0, 2), nextOffset: 6 });
  expect(parseLog(Buffer.concat([head, body.subarray(0, 1)]))).toMatchObject({ ...log, nextOffset: 5 });
  expect(parseLog(Buffer.from(framed('state absent\n')))).toBeNull();
  expect(failureOf(() => parseLog(head.subarray(0, -1)))).toBe('RemoteGarbled');
});

test.each([
  [''],
  ['sh: fermata: not found\n'],
  [BASE],
  [framed(BASE).slice(0, -1)],
  [framed(BASE.replace('state failed', 'state alive'))],
  [framed(BASE.replace('exit 3', 'exit -3'))],
  [framed(BASE.replace('exit 3', 'exit 2147483648'))],
  [framed(BASE.replace('generation 2\n', 'generation 2147483648\n'))],
  [framed(BASE.replace('\nattempt 1\n', '\nattempt 2147483648\n'))],
  [framed(BASE.replace('ran 2 1 3', 'ran 2 2147483648 3'))],
  [framed(BASE.replace('generation 2\n', ''))],
  [framed(BASE.replace('gone', 'maybe'))],
  [framed(BASE.replace('ran 2 1 3', 'ran 2 1'))],
  [framed(BASE.replace('ran 2 1 3', 'ran 2 1 x'))],
  [framed(BASE.replace('heartbeat_age -4', 'heartbeat_age none'))],
  [framed(`${BASE}asked 1700000000 perhaps\n`)],
  [framed(`${BASE}exit 3\n`)],
])('an answer that is no whole report is garbled: %j', (text) => {
  expect(failureOf(() => parseJob(text))).toBe('RemoteGarbled');
  expect(failureOf(() => parseLook(text))).toBe('RemoteGarbled');
});

test('nothing that a caller made is in the command, and it fits into one argument of a program', () => {
  const secretEnv = { TOKEN: 'hunter2' };
  const { command, stdin } = launchJob(JOB_SCRIPTS, jobSpec({ id: 'x', command: 'echo 1234', secretEnv }));
  expect(command).toBe(
    lookJob(JOB_SCRIPTS, { ...jobSpec({ id: 'y', command: 'a' }), logBytes: 0 }).command.replace(/look$/, 'launch'),
  );
  expect(Buffer.from(stdin).toString()).toContain(Buffer.from('TOKEN=hunter2').toString('base64'));
  expect(command.length).toBeLessThan(30_000);
});

test.each<[string, Partial<JobLaunch>]>([
  ['an id of a run', { id: 'run-1' }],
  ['a short id', { id: 'job-1' }],
  ['an id with a dot', { id: 'job-00000000000.' }],
  ['a short digest', { digest: 'abc' }],
  ['generation 0', { generation: 0 }],
  ['no command', { command: '' }],
  ['a long command', { command: 'é'.repeat(4_097) }],
  ['a NUL', { restartCommand: 'a\0b' }],
  ['a relative folder', { cwd: 'work' }],
  ['a name that is none', { env: { 'A-B': '1' } }],
  ['eleven retries', { maxRetries: 11 }],
  ['half a second', { backoffSeconds: 0.5 }],
  ['a negative time', { timeoutSeconds: -1 }],
  ['an exit code of 256', { noRetryExitCodes: [256] }],
  ['a small log', { logCapBytes: 4_095 }],
  ['half a character', { checkpoint: { path: '\ud800', graceSeconds: 1 } }],
])('%s is not sent', (_, wrong) => {
  const spec = { ...jobSpec({ id: 'x', command: 'true' }), ...wrong };
  expect(failureOf(() => launchJob(JOB_SCRIPTS, spec))).toBe('InvalidRequest');
});

test('nor are a piece of the log before its beginning, or a time that is none', () => {
  const log = { id: 'job-000000000000', offset: -1, maxBytes: 1 };
  expect(failureOf(() => logJob(JOB_SCRIPTS, log))).toBe('InvalidRequest');
  expect(failureOf(() => logJob(JOB_SCRIPTS, { ...log, id: 'x', offset: 0 }))).toBe('InvalidRequest');
  expect(failureOf(() => cleanJobs(JOB_SCRIPTS, { successSeconds: 0.1, otherSeconds: 1 }))).toBe('InvalidRequest');
});
