// What a machine answers about a job: what became of it, what can be seen of it, and pieces of its log.
import { Failure } from '../../domain/failures.ts';
import type { JobAttempt } from '../../domain/job.ts';
import { storable } from '../../domain/text.ts';
import { findReport, readReport, Report } from './wire.ts';

const LARGEST_INTEGER = 2_147_483_647;
/** The job itself may give its files any time. */
const OLDEST_S = 30_000_000_000;

const LIVE = ['starting', 'running', 'retrying', 'checkpointing'] as const;
const OVER = ['completed', 'failed', 'cancelled', 'interrupted', 'unknown'] as const;

/**
 * `starting`: its runner has not begun yet. `retrying`: waits to try again. `checkpointing`: was asked for a training
 * checkpoint. `interrupted`: the machine was booted since, or somebody ended the runner, which ended the command.
 * `unknown`: the runner is gone without a word; `commandAlive` says whether the command still runs, and `exitCode` how
 * it ended when it did so later.
 */
export type JobState = (typeof LIVE)[number] | (typeof OVER)[number];

interface Seen {
  /** Another value than in an earlier report means that the machine was booted since. */
  readonly bootId: string;
  /** From a launch: whether it was this call that began the generation. */
  readonly launched: boolean;
}

/** The newest generation of a job. */
export interface JobStatus extends Seen {
  readonly state: JobState;
  /** 0 when it was cancelled before it was ever launched. */
  readonly generation: number;
  /** Of this generation, from 1; 0 before the first. */
  readonly attempt: number;
  /** Of the last attempt that ended in this generation; null when there is none, or nobody saw how it ended. */
  readonly exitCode: number | null;
  /** Of the last five generations, the oldest first. */
  readonly attempts: readonly JobAttempt[];
  readonly startedAt: string;
  /** When it came to its state. */
  readonly updatedAt: string;
  readonly heartbeatAgeSeconds: number | null;
  readonly commandAlive: boolean;
  /** What ended the last attempt; after `silence` there may be a retry. */
  readonly timedOut: 'total' | 'silence' | null;
  /** What ended the runner. */
  readonly signal: string | null;
  /** The first byte of the log that is kept, and how many there ever were. */
  readonly logStart: number;
  readonly logSize: number;
  /** The last training checkpoint that was asked for in this attempt; `unknown`: no path and no command can tell. */
  readonly asked: { readonly at: string; readonly outcome: 'pending' | 'done' | 'missed' | 'unknown' } | null;
}

/**
 * What became of a job. `setup_failed`: nothing was begun, so a retry is safe. `mismatch`: the id is that of another
 * request. `busy`: the generation before this one lives. `superseded`: a later one was launched.
 */
export type JobReport =
  | { readonly state: 'setup_failed'; readonly why: string }
  | (Seen & { readonly state: 'absent' | 'mismatch' })
  | (Seen & { readonly state: 'busy' | 'superseded'; readonly generation: number })
  | JobStatus;

/** What a look finds beside the job; null is what could not be read, or is not there. */
export interface JobSights {
  /** The end of the log; characters that are not UTF-8 are U+FFFD. */
  readonly logTail: string;
  /** The newest file at the path of the checkpoint; `exists` false when there is none. Null: no path was given. */
  readonly checkpoint:
    { readonly exists: false } | { readonly exists: true; readonly ageSeconds: number; readonly bytes: number } | null;
  /** What the command for checkpoints last said. */
  readonly checkpointSaid: { readonly exitCode: number; readonly text: string } | null;
  /** What the cloud says about taking the machine away, as it says it. */
  readonly spotNotice: string | null;
  /** Only while the command does not live: what still holds memory of a GPU. `left`: a living process of the job. */
  readonly gpuOrphans: readonly { readonly pid: number; readonly mib: number; readonly process: 'gone' | 'left' }[];
  /** Only while the command does not live: memory that is in use on all GPUs, by whomever. */
  readonly gpuHeldMib: number | null;
  /** Where the folder of the command is. */
  readonly diskFreeBytes: number | null;
}

export interface JobLook extends JobSights {
  readonly job: JobReport;
}

/** Reads what a launch or a signal answered. Throws `RemoteGarbled` for anything but a whole report. */
export function parseJob(text: string): JobReport {
  return jobOf(readReport(text));
}

/** Reads what a look answered. Throws `RemoteGarbled` for anything but a whole report. */
export function parseLook(text: string): JobLook {
  const report = readReport(text);
  return { job: jobOf(report), ...sightsOf(report) };
}

function jobOf(report: Report): JobReport {
  const state = report.choice('state', ['setup_failed', 'absent', 'mismatch', 'busy', 'superseded', ...LIVE, ...OVER]);
  if (state === 'setup_failed') return { state, why: report.words('why') };
  const launched = report.has('launched') && report.choice('launched', ['yes', 'no']) === 'yes';
  const seen = { bootId: report.text('boot_id'), launched };
  if (state === 'absent' || state === 'mismatch') return { state, ...seen };
  const generation = integerOf(report, 'generation');
  if (state === 'busy' || state === 'superseded') return { state, ...seen, generation };
  const timedOut = report.has('timed_out') ? report.choice('timed_out', ['total', 'silence']) : null;
  return {
    state,
    ...seen,
    generation,
    attempt: integerOf(report, 'attempt'),
    exitCode: !report.has('exit') || report.text('exit') === 'lost' ? null : integerOf(report, 'exit'),
    attempts: report.all('ran').map(attemptOf),
    startedAt: report.time('started'),
    updatedAt: report.time('updated'),
    heartbeatAgeSeconds: report.has('heartbeat_age') ? ageOf(report.text('heartbeat_age')) : null,
    commandAlive: report.choice('command', ['alive', 'gone']) === 'alive',
    timedOut,
    signal: report.has('signal') ? report.text('signal') : null,
    logStart: report.count('log_start'),
    logSize: report.count('log_size'),
    asked: report.has('asked') ? askedOf(report.text('asked')) : null,
  };
}

function sightsOf(report: Report): JobSights {
  const [checkpoint = null] = report.all('checkpoint').map(checkpointOf);
  return {
    logTail: report.has('log') ? tailOf(report.bytes('log')) : '',
    checkpoint,
    checkpointSaid: report.has('checkpoint_exit')
      ? { exitCode: integerOf(report, 'checkpoint_exit'), text: report.words('checkpoint_said') }
      : null,
    spotNotice: report.has('spot_notice') ? report.words('spot_notice') : null,
    gpuOrphans: report.all('gpu_orphan').map(orphanOf),
    gpuHeldMib: report.has('gpu_held') ? report.count('gpu_held') : null,
    diskFreeBytes: report.has('disk_free_kb') ? report.count('disk_free_kb') * 1_024 : null,
  };
}

/** Words of a line, each of them a line of a report of its own, so that they are read as strictly. */
function wordsOf(line: string, ...keys: readonly string[]): Report {
  const words = line.split(' ');
  if (words.length !== keys.length) throw new Failure('RemoteGarbled', { why: `'${line}' has other words.` });
  return new Report(keys.map((key, index) => `${key} ${words[index] ?? ''}`));
}

function attemptOf(line: string): JobAttempt {
  const words = wordsOf(line, 'generation', 'attempt', 'exit', 'started', 'ended');
  return {
    generation: integerOf(words, 'generation'),
    attempt: integerOf(words, 'attempt'),
    exitCode: words.text('exit') === 'lost' ? null : integerOf(words, 'exit'),
    startedAt: words.time('started'),
    endedAt: words.time('ended'),
  };
}

function checkpointOf(line: string): JobSights['checkpoint'] {
  if (line === 'none') return { exists: false };
  const words = wordsOf(line, 'age', 'bytes');
  return { exists: true, ageSeconds: ageOf(words.text('age')), bytes: words.count('bytes') };
}

function orphanOf(line: string) {
  const words = wordsOf(line, 'pid', 'mib', 'process');
  return { pid: words.count('pid'), mib: words.count('mib'), process: words.choice('process', ['gone', 'left']) };
}

function askedOf(line: string) {
  const words = wordsOf(line, 'at', 'outcome');
  return { at: words.time('at'), outcome: words.choice('outcome', ['pending', 'done', 'missed', 'unknown']) };
}

/** A clock that was set back makes an age negative: then it is young. The oldest still makes a time of four digits. */
function ageOf(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new Failure('RemoteGarbled', { why: `'${text}' is no age.` });
  return Math.min(OLDEST_S, Math.max(0, Number(text)));
}

/** A number that a column of integers holds. Throws `RemoteGarbled` for a larger one. */
function integerOf(report: Report, key: string): number {
  const count = report.count(key);
  if (count > LARGEST_INTEGER) throw new Failure('RemoteGarbled', { why: `${key} is '${count}'.` });
  return count;
}

/** The character that the beginning of the tail cuts through is left out. */
function tailOf(bytes: Buffer): string {
  const first = bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return storable(bytes.toString('utf8', first < 0 ? bytes.length : first));
}

/** A piece of the log. */
export interface JobLog {
  readonly logStart: number;
  /** All that was ever written. */
  readonly logSize: number;
  /** Of the first byte here: later than what was asked for when that is no longer kept. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Where to go on; the same as `offset` when nothing more was written. */
  readonly nextOffset: number;
}

/** Reads what a request for the log answered; null when there is no such job. Throws `RemoteGarbled`. */
export function parseLog(answer: Uint8Array): JobLog | null {
  const found = findReport(answer);
  if (!found) throw new Failure('RemoteGarbled', { why: 'it has no report, or only the beginning of one.' });
  const { report, end } = found;
  const state = report.choice('state', ['log', 'absent', 'setup_failed']);
  if (state === 'setup_failed') throw new Failure('RemoteGarbled', { why: report.words('why') });
  if (state === 'absent') return null;
  const offset = report.count('offset');
  // A file that was rotated away meanwhile, or a lost connection, leaves less than was announced.
  const bytes = answer.subarray(end, end + report.count('next') - offset);
  const [logStart, logSize] = [report.count('log_start'), report.count('log_size')];
  return { logStart, logSize, offset, bytes, nextOffset: offset + bytes.length };
}
