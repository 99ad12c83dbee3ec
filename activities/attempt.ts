// One attempt of an activity: it heartbeats, counts the errors of the operation, and turns failures into Temporal's.
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { RetryTerms } from '../domain/activity.ts';
import { Failure, failureRow } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';
import type { Json } from '../domain/task.ts';
import { retryDelayMs } from '../domain/retry.ts';

/** Often enough that a cancellation, which comes with a heartbeat's answer, is seen within a second or so. */
const HEARTBEAT_MS = 800;

/** Failures of Fermata's own surroundings: waited out without spending one of the operation's retries. */
const NOT_COUNTED: readonly FailureType[] = ['StoreUnavailable', 'TemporalUnavailable'];

/**
 * Runs one attempt. Errors of the operation are counted in the heartbeat details, so that an attempt lost with its
 * worker costs none. `report` adds what a failure should carry to the workflow.
 *
 * Throws an `ApplicationFailure` typed as in the table; `RetriesExhausted` after `maxRetries + 1` counted errors.
 */
export async function attempt<T>(
  terms: RetryTerms,
  work: (attempts: number, signal: AbortSignal) => Promise<T>,
  report: () => Json | undefined = () => undefined,
): Promise<T> {
  const context = Context.current();
  const errors = errorsSoFar(context.info.heartbeatDetails);
  const beat = () => context.heartbeat({ errors });
  // Not at once: a heartbeat costs the server about what a short read does, and details of earlier attempts stay.
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work(errors + 1, context.cancellationSignal);
  } catch (error) {
    if (context.cancellationSignal.aborted) throw cancelled(context);
    throw failed(error, errors + 1, terms, report());
  } finally {
    clearInterval(timer);
  }
}

function errorsSoFar(details: unknown): number {
  const errors: unknown = typeof details === 'object' && details !== null ? Reflect.get(details, 'errors') : 0;
  return typeof errors === 'number' ? errors : 0;
}

/** True when the worker is stopping, which is not the task being cancelled: another worker goes on. */
export function isShuttingDown(): boolean {
  return Context.current().cancellationDetails?.workerShutdown === true;
}

function cancelled(context: Context): Error {
  if (!isShuttingDown()) return new CancelledFailure('cancelled');
  return ApplicationFailure.create({
    type: 'WorkerShutdown',
    message: `worker ${context.info.workflowNamespace} is shutting down; another attempt goes on`,
    nextRetryDelay: '100ms',
  });
}

function failed(error: unknown, errors: number, terms: RetryTerms, detail: Json | undefined): Error {
  // Anything that is not a failure of the table is a bug; a retry may meet a fixed worker.
  if (!(error instanceof Failure)) return error instanceof Error ? error : new Error(String(error));
  const { type, message } = error;
  const details = detail === undefined ? [] : [detail];
  if (!failureRow(type).retryable) return ApplicationFailure.create({ type, message, details, nonRetryable: true });
  if (NOT_COUNTED.includes(type)) return ApplicationFailure.create({ type, message, details, nextRetryDelay: '2s' });
  if (errors > terms.maxRetries) {
    const gaveUp = new Failure('RetriesExhausted', { attempts: errors, why: message });
    return ApplicationFailure.create({ type: gaveUp.type, message: gaveUp.message, details, nonRetryable: true });
  }
  // The last heartbeat of an attempt that fails in order reaches the server together with its failure.
  Context.current().heartbeat({ errors });
  const nextRetryDelay = retryDelayMs(terms.retryDelayMs, errors, Math.random());
  return ApplicationFailure.create({ type, message, details, nextRetryDelay });
}
