// Jobs on a machine: what is sent to begin a generation of one, to look at it, to ask or end it, and what comes back.
import { createHash } from 'node:crypto';
import { CHECKPOINT_SIGNALS } from '../../domain/job.ts';
import { variablesOf } from './exec.ts';
import type { RemoteCall } from './wire.ts';
import { demand, demandCount, demandSha256, demandText, remoteCall } from './wire.ts';

export interface JobScripts {
  /** What every call sends. */
  readonly job: string;
  /** What goes with a launch, and stays on the machine. */
  readonly runner: string;
}

/** Puts the scripts together from their files, which `read` gives by their names without `.sh`. */
export function jobScripts(read: (name: string) => string): JobScripts {
  const joined = (...names: readonly string[]) => names.map(read).join('\n');
  return {
    job: joined('job-facts', 'job-look', 'job'),
    runner: joined('job-facts', 'job-attempt', 'job-runner'),
  };
}

/** Which job: its id, `job-` and 12 characters of a-z and 0-9, and the sha256 of what was asked for under it. */
export interface JobRef {
  readonly id: string;
  readonly digest: string;
}

/** A training checkpoint: how the command is asked for one, and where it can be seen. */
export interface JobCheckpoint {
  /** Sent to the process group of the command. */
  readonly signal?: (typeof CHECKPOINT_SIGNALS)[number];
  /** Run beside the command; its exit code 0 says that the checkpoint is there, and what it prints is shown. */
  readonly command?: string;
  /** A file, or a folder whose newest file counts; from the folder of the command unless it is absolute. */
  readonly path?: string;
  /** How long the command may take for one. */
  readonly graceSeconds: number;
}

export interface JobLaunch extends JobRef {
  /** 1 for the first launch, one more for each after an interruption. */
  readonly generation: number;
  /** Whether already the first attempt is one of `restartCommand`. */
  readonly resume: boolean;
  /** For `bash -c`, or `sh -c` where there is no bash; up to 8 kB, as every text here. */
  readonly command: string;
  /** What a retry runs; the command itself when it is left out. */
  readonly restartCommand?: string;
  /** An absolute path; the home folder when it is left out. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Variables that are on the machine's disk only until the runner has read them, readable by its user alone. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** Given to each attempt from its beginning. */
  readonly stdin?: Uint8Array;
  /** From 0 to 10. */
  readonly maxRetries: number;
  /** Before the first retry; doubled before each other one, up to the cap. */
  readonly backoffSeconds: number;
  readonly backoffCapSeconds: number;
  /** Those after which no retry can help. */
  readonly noRetryExitCodes: readonly number[];
  /** For all attempts of this launch together; 0 is no limit. */
  readonly timeoutSeconds: number;
  /** How long an attempt may print nothing before it has failed; 0 is no limit. */
  readonly silenceSeconds: number;
  /** Of each of the nine files of the log that are kept; at least 4096. */
  readonly logCapBytes: number;
  readonly checkpoint?: JobCheckpoint;
}

const LONGEST_TEXT_BYTES = 8_192;
const MOST_RETRIES = 10;
const LEAST_LOG_BYTES = 4_096;
const ID = /^job-[a-z0-9]{12}$/;

/**
 * Begins a generation of a job, or looks at it when it was begun before: `parseJob` reads the answer. Throws
 * `InvalidRequest` for what the machine would refuse.
 */
export function launchJob(scripts: JobScripts, job: JobLaunch): RemoteCall {
  const { checkpoint = { graceSeconds: 0 }, stdin = new Uint8Array() } = job;
  demand(job.command !== '', 'there is no command');
  demand(job.cwd === undefined || job.cwd.startsWith('/'), 'the folder is not an absolute path');
  const signal = checkpoint.signal ?? '';
  demand(signal === '' || CHECKPOINT_SIGNALS.includes(signal), `'${signal}' is no signal for a checkpoint`);
  const { noRetryExitCodes } = job;
  demand(
    noRetryExitCodes.every((code) => Number.isInteger(code) && code >= 0 && code <= 255),
    'an exit code goes from 0 to 255',
  );
  const texts = [
    ['command', job.command],
    ['restart_command', job.restartCommand ?? ''],
    ['cwd', job.cwd ?? ''],
    ['checkpoint_command', checkpoint.command ?? ''],
    ['checkpoint_path', checkpoint.path ?? ''],
  ] as const;
  for (const [key, text] of texts) {
    demandText(text, key);
    demand(Buffer.byteLength(text) <= LONGEST_TEXT_BYTES, `${key} has more than ${LONGEST_TEXT_BYTES} bytes`);
  }
  const choices = [
    ['no_retry', noRetryExitCodes.join(' ')],
    ['checkpoint_signal', signal],
    ['resume', job.resume ? 'yes' : 'no'],
  ] as const;
  const variables = [...variablesOf('env', job.env), ...variablesOf('secret_env', job.secretEnv)];
  const counts = [...countsOf(job), ['grace_s', checkpoint.graceSeconds], ['stdin_bytes', stdin.length]] as const;
  for (const [key, value] of counts) demandCount(value, key);
  const args = [...refOf(job), ...runnerOf(scripts), ...texts, ...choices, ...counts, ...variables];
  return remoteCall(scripts.job, 'launch', args, stdin);
}

function countsOf(job: JobLaunch) {
  demand(job.generation >= 1, 'the first generation is 1');
  demand(job.maxRetries <= MOST_RETRIES, `there are at most ${MOST_RETRIES} retries`);
  demand(job.logCapBytes >= LEAST_LOG_BYTES, `a file of the log has at least ${LEAST_LOG_BYTES} bytes`);
  return [
    ['generation', job.generation],
    ['max_retries', job.maxRetries],
    ['backoff_s', job.backoffSeconds],
    ['backoff_cap_s', job.backoffCapSeconds],
    ['timeout_s', job.timeoutSeconds],
    ['silence_s', job.silenceSeconds],
    ['log_cap_bytes', job.logCapBytes],
  ] as const;
}

function runnerOf({ runner }: JobScripts) {
  return [
    ['runner', runner],
    ['runner_sha256', createHash('sha256').update(runner).digest('hex')],
  ] as const;
}

type Reader = Pick<JobScripts, 'job'>;

/** Looks at a job, its machine, and the last `logBytes` of its log: `parseLook` reads the answer. */
export function lookJob({ job }: Reader, { logBytes, ...ref }: JobRef & { readonly logBytes: number }): RemoteCall {
  demandCount(logBytes, 'log_bytes');
  return remoteCall(job, 'look', [...refOf(ref), ['log_bytes', logBytes]]);
}

/** Asks for at most `maxBytes` of the log from `offset`, which counts from the first byte ever: for `parseLog`. */
export function logJob(
  { job }: Reader,
  { id, offset, maxBytes }: { readonly id: string; readonly offset: number; readonly maxBytes: number },
): RemoteCall {
  demandJobId(id);
  demandCount(offset, 'offset');
  demandCount(maxBytes, 'max');
  return remoteCall(job, 'log', [
    ['id', id],
    ['offset', offset],
    ['max', maxBytes],
  ]);
}

/**
 * `checkpoint`: asks the command for one and answers at once; looks tell whether it came. `cancel`: ends the job for
 * good, TERM now and KILL ten seconds later; one that was never launched can never be. `parseJob` reads the answer.
 */
export function signalJob({ job }: Reader, { what, ...ref }: JobRef & { readonly what: JobAsk }): RemoteCall {
  return remoteCall(job, 'signal', [...refOf(ref), ['what', what]]);
}

export type JobAsk = 'checkpoint' | 'cancel';

/**
 * Forgets jobs that ended longer ago than this, at most 500 at a time, but for those in `keep`, whose end nobody has
 * seen yet; `parseCleaned` of exec.ts reads the answer. The id of a forgotten job could be launched again.
 */
export function cleanJobs(
  { job }: Reader,
  {
    successSeconds,
    otherSeconds,
    keep = [],
  }: { readonly successSeconds: number; readonly otherSeconds: number; readonly keep?: readonly string[] },
): RemoteCall {
  demandCount(successSeconds, 'keep_success_s');
  demandCount(otherSeconds, 'keep_other_s');
  keep.forEach(demandJobId);
  return remoteCall(job, 'clean', [
    ['keep_success_s', successSeconds],
    ['keep_other_s', otherSeconds],
    ['keep', keep.join(' ')],
  ]);
}

function refOf({ id, digest }: JobRef) {
  demandJobId(id);
  demandSha256(digest);
  return [
    ['id', id],
    ['digest', digest],
  ] as const;
}

function demandJobId(id: string): void {
  demand(ID.test(id), `'${id}' is not the id of a job`);
}
