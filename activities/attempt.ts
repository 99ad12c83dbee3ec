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
const NOT_COUNTED: readonly FailureType[] = ['StoreUnavailable', 'TemporalUnavailable', 'SshUnreachable', 'SshBusy'];

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
  const before = troubleSoFar(context.info.heartbeatDetails);
  const { errors } = before;
  const beat = () => context.heartbeat(before);
  // Not at once: a heartbeat costs the server about what a short read does, and details of earlier attempts stay.
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work(errors + 1, context.cancellationSignal);
  } catch (error) {
    if (context.cancellationSignal.aborted) throw cancelled(context);
    throw failed(error, before, terms, report());
  } finally {
    clearInterval(timer);
  }
}

/** What earlier attempts met, kept in the heartbeat details. */
interface Trouble {
  readonly errors: number;
  /** Tries that met a lack of capacity, and when the first did, ms since 1970; 0 for none. */
  readonly waits: number;
  readonly waitingSince: number;
}

function troubleSoFar(details: unknown): Trouble {
  const number = (name: string) => {
    const value: unknown = typeof details === 'object' && details !== null ? Reflect.get(details, name) : 0;
    return typeof value === 'number' ? value : 0;
  };
  return { errors: number('errors'), waits: number('waits'), waitingSince: number('waitingSince') };
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

function failed(error: unknown, before: Trouble, terms: RetryTerms, detail: Json | undefined): Error {
  // Anything that is not a failure of the table is a bug; a retry may meet a fixed worker.
  if (!(error instanceof Failure)) return error instanceof Error ? error : new Error(String(error));
  const { type, message } = error;
  const details = detail === undefined ? [] : [detail];
  if (!failureRow(type).retryable) return ApplicationFailure.create({ type, message, details, nonRetryable: true });
  if (NOT_COUNTED.includes(type)) return ApplicationFailure.create({ type, message, details, nextRetryDelay: '2s' });
  const after = afterFailure(type, before, terms);
  if (after.errors > terms.maxRetries) {
    const gaveUp = new Failure('RetriesExhausted', { attempts: after.errors + after.waits, why: message });
    return ApplicationFailure.create({ type: gaveUp.type, message: gaveUp.message, details, nonRetryable: true });
  }
  // The last heartbeat of an attempt that fails in order reaches the server together with its failure.
  Context.current().heartbeat(after);
  const nextRetryDelay = retryDelayMs(terms.retryDelayMs, Math.max(1, after.errors + after.waits), Math.random());
  return ApplicationFailure.create({ type, message, details, nextRetryDelay });
}

/** A lack of capacity has a patience of its own: it says nothing about what was asked for. */
function afterFailure(type: FailureType, before: Trouble, { capacityMs = 0 }: RetryTerms): Trouble {
  const waitingSince = before.waitingSince === 0 ? Date.now() : before.waitingSince;
  const waits = type === 'CloudCapacity' && Date.now() - waitingSince < capacityMs;
  if (waits) return { ...before, waits: before.waits + 1, waitingSince };
  return { ...before, errors: before.errors + 1 };
}
