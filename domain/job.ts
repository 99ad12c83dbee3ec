// A job: a long command on a member, its states, what it was asked to be, and what follows when it ends or is cut off.
import type { SecretRef } from './secret.ts';

export const JOB_STATES = [
  'queued',
  'starting',
  'running',
  'retrying',
  'checkpointing',
  'interrupted',
  'completed',
  'failed',
  'cancelled',
  'lost',
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Nothing follows these. */
export const ENDED: readonly JobState[] = ['completed', 'failed', 'cancelled', 'lost'];
/** A job in one of these has a slot of its member. */
export const HOLDING: readonly JobState[] = ['starting', 'running', 'retrying', 'checkpointing', 'interrupted'];
/** In one of these a runner looks after it on the machine, as far as is known. */
export const LAUNCHED: readonly JobState[] = ['running', 'retrying', 'checkpointing'];

/** True when nothing will follow. */
export function isEnded(state: JobState): boolean {
  return ENDED.includes(state);
}

/**
 * What an interruption means: `never`: the end · `onInterruption`: it goes on as soon as it can, but after a stop that
 * somebody asked Fermata for only when the machine was started again · `always`: then too its machine is started for it.
 */
export const RESUME = ['never', 'onInterruption', 'always'] as const;
/** What becomes of the machine when the job ends and no other one needs it. */
export const ON_FINISH = ['keep', 'stop', 'stop_on_success', 'stop_on_failure'] as const;
/** Signals by which a command may be asked for a checkpoint. */
export const CHECKPOINT_SIGNALS = ['USR1', 'USR2', 'HUP', 'INT', 'QUIT', 'TERM', 'ALRM', 'CONT', 'WINCH'] as const;

export type JobCheckpointSpec = {
  /** A file, or a folder whose newest file counts, from where the command runs unless absolute; null: only the command can tell. */
  readonly path: string | null;
  /** Run beside the job to make one; exit code 0 says that it is there. */
  readonly command: string | null;
  /** Sent to the job to ask for one. */
  readonly signal: (typeof CHECKPOINT_SIGNALS)[number] | null;
  /** Older than this it is stale. */
  readonly maxAgeS: number;
  /** How long making one may take. */
  readonly graceS: number;
};

export type JobSpec = {
  readonly command: string;
  /** For every later attempt; the command itself when null. */
  readonly restartCommand: string | null;
  readonly stdin: string | null;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly maxRetries: number;
  readonly retryBackoffS: number;
  readonly noRetryExitCodes: readonly number[];
  readonly resume: (typeof RESUME)[number];
  /** Of all attempts together; 0 for no limit. */
  readonly timeoutS: number;
  readonly silenceS: number;
  readonly checkpoint: JobCheckpointSpec | null;
  readonly onFinish: (typeof ON_FINISH)[number];
  /** Whether its machine is started for it. */
  readonly start: 'if_stopped' | 'never';
  /** Alone among the jobs of its member. */
  readonly exclusive: boolean;
  readonly priority: number;
  /** Jobs that must have completed before. */
  readonly dependsOn: readonly string[];
  /** Files in the work folder that are fetched when it has completed. */
  readonly artifacts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

/** One run of the command, also the one that runs: then it ended when it was last seen to live. */
export type JobAttempt = {
  /** Counts the launches: one more after each interruption. */
  readonly generation: number;
  readonly attempt: number;
  /** 128 and the number of the signal when one ended it; null when nobody saw how it ended. */
  readonly exitCode: number | null;
  /** ISO. */
  readonly startedAt: string;
  readonly endedAt: string;
};

/** How a launch ended, as far as can be told. */
export type LaunchEnd =
  | { readonly kind: 'completed' }
  | { readonly kind: 'failed'; readonly exitCode: number | null; readonly why: string }
  | { readonly kind: 'cancelled' }
  /** `begun`: it may have run. `stopped`: somebody asked Fermata to stop its machine, or its machine may not be started. */
  | { readonly kind: 'interrupted'; readonly why: string; readonly begun: boolean; readonly stopped: boolean }
  /** The machine is gone for good. */
  | { readonly kind: 'lost'; readonly why: string };

export type JobEndState = 'completed' | 'failed' | 'cancelled' | 'lost';

export type JobNext =
  | { readonly next: 'end'; readonly state: JobEndState; readonly why: string }
  /** `waits`: until somebody else has started the machine. */
  | { readonly next: 'resume'; readonly why: string; readonly waits: boolean };

/** More often than this in one job something else is wrong. */
const MOST_GENERATIONS = 1_000;

/** What follows when a launch has ended; a person's wish to cancel comes before everything but a success. */
export function nextOf(
  end: LaunchEnd,
  { resume, generation }: { readonly resume: JobSpec['resume']; readonly generation: number },
): JobNext {
  switch (end.kind) {
    case 'completed':
      return { next: 'end', state: 'completed', why: 'It exited with 0.' };
    case 'cancelled':
      return { next: 'end', state: 'cancelled', why: 'It was cancelled.' };
    case 'lost':
    case 'failed':
      return { next: 'end', state: end.kind, why: end.why };
    case 'interrupted':
      if (end.begun && resume === 'never') {
        return { next: 'end', state: 'failed', why: `Interrupted, and not to be resumed: ${end.why}` };
      }
      if (generation >= MOST_GENERATIONS) {
        return { next: 'end', state: 'failed', why: `Given up after ${generation} launches: ${end.why}` };
      }
      return { next: 'resume', why: end.why, waits: end.stopped && (resume !== 'always' || !end.begun) };
  }
}

/** True when the machine is to be stopped after a job that ended so. */
export function stopsAfter(onFinish: JobSpec['onFinish'], state: JobEndState): boolean {
  if (state === 'cancelled' || state === 'lost') return false;
  return onFinish === 'stop' || onFinish === (state === 'completed' ? 'stop_on_success' : 'stop_on_failure');
}

/** How long the attempts of a job ran, seconds. */
export function ranSeconds(attempts: readonly JobAttempt[]): number {
  const ms = attempts.map(({ startedAt, endedAt }) => Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)));
  return ms.reduce((sum, one) => sum + one, 0) / 1000;
}

/**
 * The attempts known so far with one laid over them of which nobody has seen the end: it lasted at least for as long as
 * it was ever seen to.
 */
export function withOpenAttempt(known: readonly JobAttempt[], open: JobAttempt): JobAttempt[] {
  const seen = known.filter(({ generation, attempt }) => generation === open.generation && attempt === open.attempt);
  // Times of reports are all written alike, so their order is that of their letters.
  const [startedAt = open.startedAt] = [...seen, open].map((one) => one.startedAt).sort();
  const endedAt =
    [...seen, open]
      .map((one) => one.endedAt)
      .sort()
      .at(-1) ?? open.endedAt;
  return mergedAttempts(known, [{ ...open, startedAt, endedAt, exitCode: open.exitCode ?? seen[0]?.exitCode ?? null }]);
}

/** Its attempts that are over, as far as is known: without the one that runs. */
export function attemptsOver({ state, generation, attempt, attempts }: AttemptsNow): JobAttempt[] {
  const runs = state === 'starting' || state === 'running' || state === 'checkpointing';
  return attempts.filter(
    (one) => !runs || one.exitCode !== null || one.generation !== generation || one.attempt !== attempt,
  );
}

interface AttemptsNow {
  readonly state: JobState;
  readonly generation: number;
  readonly attempt: number;
  readonly attempts: readonly JobAttempt[];
}

/** The attempts known so far with those of a newer report laid over them, in their order. */
export function mergedAttempts(known: readonly JobAttempt[], newer: readonly JobAttempt[]): JobAttempt[] {
  const key = ({ generation, attempt }: JobAttempt) => `${generation}/${attempt}`;
  const all = new Map([...known, ...newer].map((one) => [key(one), one]));
  return [...all.values()].sort((a, b) => a.generation - b.generation || a.attempt - b.attempt);
}

/** Of a job that is interrupted for ever, the last ones tell what is the matter. No report has as many. */
const KEPT_ATTEMPTS = 200;

/** The attempts to keep of these, and how long the others ran, seconds. */
export function keptAttempts(all: readonly JobAttempt[]): { readonly kept: JobAttempt[]; readonly othersRanS: number } {
  return { kept: all.slice(-KEPT_ATTEMPTS), othersRanS: ranSeconds(all.slice(0, -KEPT_ATTEMPTS)) };
}

const JOB_ID = /^job-[a-z0-9]{12}$/;

/** True for the form of a job's id, which is the Temporal workflow id of its workflow as well. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/** The id of the job that a task starts: the same for a task whenever it is asked, from the last 62 bits of its id. */
export function jobIdOf(taskId: string): string {
  const bits = BigInt(`0x${taskId.replaceAll('-', '').slice(-16)}`) & ((1n << 62n) - 1n);
  return `job-${bits.toString(36).padStart(12, '0').slice(-12)}`;
}

/** True for what `start_job` planned; a plan is stored as JSON. */
export function isJobSpec(value: unknown): value is JobSpec {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string, type: string) => typeof Reflect.get(value, name) === type;
  const texts = ['command', 'cwd', 'resume', 'onFinish', 'start'].every((name) => has(name, 'string'));
  const numbers = ['maxRetries', 'retryBackoffS', 'timeoutS', 'silenceS', 'priority'].every((name) =>
    has(name, 'number'),
  );
  const lists = ['env', 'secrets', 'labels', 'noRetryExitCodes', 'dependsOn', 'artifacts'];
  return texts && numbers && lists.every((name) => has(name, 'object'));
}
