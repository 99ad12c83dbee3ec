// The profiles of activities, one for each thing that a retry means.
import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';

/**
 * Recording never gives up, since nothing may happen unrecorded; it leaves the workflow task at once and comes back by
 * a timer, because a retry inside the workflow task would hold the worker's slots while PostgreSQL is away.
 */
export const recording: LocalActivityOptions = {
  startToCloseTimeout: '3s',
  localRetryThreshold: '100ms',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};

/** Attempts are unlimited within the deadline: the activities themselves count the errors of the operation. */
const untilDeadline: NonNullable<ActivityOptions['retry']> = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '30s',
};

/** Reading and planning change nothing, so a lost attempt is simply made again. */
export function reading(deadlineMs: number): ActivityOptions {
  return {
    scheduleToCloseTimeout: deadlineMs,
    heartbeatTimeout: '10s',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: untilDeadline,
  };
}

/** A minute beyond the deadline: the workflow's own timer cancels first, so that the step can say what it had done. */
const BEYOND_DEADLINE_MS = 60_000;

/** A step acts; each attempt looks first, so that a lost one is never repeated blindly. */
export function acting(deadlineMs: number, summary: string): ActivityOptions {
  return {
    scheduleToCloseTimeout: deadlineMs + BEYOND_DEADLINE_MS,
    heartbeatTimeout: '10s',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: untilDeadline,
    summary: summary.slice(0, 200),
  };
}

/** Undoing one step is bounded, because nobody waits for it and a stuck one must not keep a task open for ever. */
export const UNDO_MS = 10 * 60_000;

/** Looking after a lost worker, and freeing leases, are short reads. */
export const looking: ActivityOptions = {
  scheduleToCloseTimeout: '2m',
  startToCloseTimeout: '20s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', maximumInterval: '10s' },
};

/** Reaching a machine that has just been started: it heartbeats, and ends by itself when its own patience is over. */
export const reaching: ActivityOptions = {
  scheduleToCloseTimeout: '30m',
  heartbeatTimeout: '20s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
};

/** A ready step may take an hour, and is tried again by itself as often as its owner says. */
export const watching: ActivityOptions = {
  scheduleToCloseTimeout: '12h',
  heartbeatTimeout: '20s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
};

/** Somebody waits for the answer: one try, and soon. */
export const inspecting: ActivityOptions = {
  scheduleToCloseTimeout: '20s',
  cancellationType: 'TRY_CANCEL',
  retry: { maximumAttempts: 1 },
};

/** A sweep is over before the next one begins; what it did not reach is due first then. */
export const sweeping: ActivityOptions = {
  scheduleToCloseTimeout: '55s',
  heartbeatTimeout: '15s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', maximumInterval: '5s' },
};

/** Watching one target for those who wait for it, on a queue of its own: it never keeps a step from its slot. */
export const guarding: ActivityOptions = {
  scheduleToCloseTimeout: '1h',
  heartbeatTimeout: '15s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
};

/** What a job must do to go on, however long PostgreSQL or the cloud is away. */
export const enduring: ActivityOptions = {
  startToCloseTimeout: '30s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
};

/** Beginning a launch on a machine that was ready a moment ago; when it does not answer for long, it is asked for anew. */
export const launching: ActivityOptions = { ...reaching, scheduleToCloseTimeout: '10m' };

/** Watching a job costs the workflow one activity in most of an hour, and its lost worker is noticed in half a minute. */
export const attending: ActivityOptions = {
  startToCloseTimeout: '1h',
  heartbeatTimeout: '30s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
};
