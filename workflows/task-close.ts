// How a task ends when it does not complete: what ended it, what is undone, the last event, and what the workflow throws.
import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancelledFailure,
  condition,
  isCancellation,
} from '@temporalio/workflow';
import type { EventWish } from '../domain/event.ts';
import type { FailureType } from '../domain/failures.ts';
import { capped, failureRow, isFailureType } from '../domain/failures.ts';
import type { JsonObject, TaskReason } from '../domain/task.ts';
import { canUndo, undo } from './task-execute.ts';
import type { Task } from './task-state.ts';
import { refused } from './task-state.ts';

interface Ending {
  readonly to: 'TERMINATED' | 'FAILED';
  readonly type: FailureType;
  readonly reason: TaskReason;
  readonly error: string;
}

/**
 * Ends a task that did not complete: undoes by its terms, records the last event, waits for handlers, and throws so
 * that Temporal's own status says the same; returns only when it turns out to have completed. Runs in a
 * non-cancellable scope.
 */
export async function close(task: Task, error: unknown): Promise<JsonObject> {
  if (!isExpected(error)) throw error;
  task.ending = true;
  if (!task.event) throw error instanceof ActivityFailure && error.cause ? error.cause : error;
  const asked = isStopped(error) && !task.deadlineHit;
  // Looks once more, because who asked to stop, and whether with undo, stands in the row.
  if (asked && !task.closed) await task.record(null);
  let ending = endingOf(task, error, asked);
  if (!task.closed) {
    if (wantsUndo(task, asked)) await putBack(task);
    if (!(await recordEnd(task, ending))) {
      // Somebody asked for a stop in the meantime, and was told that it stops.
      ending = endingOf(task, error, true);
      await recordEnd(task, ending);
    }
  }
  await condition(allHandlersFinished);
  // An attempt of a read that was lost had recorded its answer before: everybody was told so.
  if (task.event.to === 'COMPLETED') return task.event.detail.result ?? {};
  if (ending.to === 'TERMINATED') throw await cancellation(task, ending);
  throw ApplicationFailure.create({ type: ending.type, message: ending.error, nonRetryable: true });
}

function recordEnd(task: Task, { to, reason, error }: Ending) {
  const wish: EventWish = { to, phase: 'closed', reason, says: error, error };
  return task.record(task.outcomes.length > 0 ? { ...wish, outcomes: task.outcomes } : wish);
}

/** A plain error is a bug in this code: it must stop the workflow task, where a fixed worker can take it up again. */
function isExpected(error: unknown): boolean {
  return error instanceof ApplicationFailure || error instanceof ActivityFailure || isCancellation(error);
}

/** A dead worker turns a cancelled activity into a heartbeat timeout; only its retry state still tells. */
function isStopped(error: unknown): boolean {
  if (error instanceof ApplicationFailure) return error.type === 'TaskTerminated';
  return isCancellation(error) || (error instanceof ActivityFailure && error.retryState === 'CANCEL_REQUESTED');
}

function endingOf(task: Task, error: unknown, asked: boolean): Ending {
  const { id, terms } = task;
  if (asked) {
    const { message } = refused('TaskTerminated', { id, by: task.answer?.stop?.by ?? 'temporal' });
    return { to: 'TERMINATED', type: 'TaskTerminated', reason: 'cancelled', error: message };
  }
  if (task.deadlineHit || (error instanceof ActivityFailure && error.retryState === 'TIMEOUT')) {
    const { message } = refused('TaskTimeout', { id, seconds: terms.deadlineMs / 1000 });
    return { to: 'FAILED', type: 'TaskTimeout', reason: 'deadline_exceeded', error: message };
  }
  const failure = error instanceof ActivityFailure ? error.cause : error;
  const type = failure instanceof ApplicationFailure && isFailureType(failure.type) ? failure.type : 'TargetFailed';
  const text = failure instanceof Error ? failure.message : String(failure);
  return { to: 'FAILED', type, reason: failureRow(type).reason ?? 'failed', error: capped(text) };
}

function wantsUndo(task: Task, asked: boolean): boolean {
  if (!canUndo(task)) return false;
  const { undo: when } = task.terms;
  if (!asked) return when === 'failure' || when === 'failure_and_cancel';
  return task.answer?.stop?.undo === true || when === 'failure_and_cancel' || when === 'cancel';
}

async function putBack(task: Task): Promise<void> {
  if (!task.plan) return;
  await task.record({ to: 'RUNNING', phase: 'undoing', says: 'Puts back what was changed, newest first.' });
  await undo(task, task.plan);
}

/** How long the cancellation that goes with a stop mark may take to arrive: its sender may have died in between, ms. */
const CANCEL_ARRIVES_MS = 10_000;

/** A cancellation closes the workflow as cancelled only when one was asked for; the stop mark alone is not that. */
async function cancellation(task: Task, { error, type }: Ending): Promise<Error> {
  const requested = task.cancelled || (await condition(() => task.cancelled, CANCEL_ARRIVES_MS));
  return requested
    ? new CancelledFailure(error)
    : ApplicationFailure.create({ type, message: error, nonRetryable: true });
}
