// The one place that connects to Temporal: where it is comes from the environment or a profile, as for the `temporal` CLI.
import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { Failure } from '../domain/failures.ts';

export interface TemporalPlace {
  readonly address: string | undefined;
  readonly namespace: string;
}

/** Connection options and namespace: `TEMPORAL_*` and a profile's TLS and API key, see `@temporalio/envconfig`. */
export function temporalOptions({ address, namespace }: TemporalPlace) {
  const profile = loadClientConnectConfig();
  const connection = { ...profile.connectionOptions, ...(address === undefined ? {} : { address }) };
  return { connection, namespace: profile.namespace ?? namespace };
}

export interface Temporal {
  readonly client: Client;
  readonly connection: Connection;
  /** Whether the last probe was answered. */
  isReachable(): boolean;
  /**
   * Runs calls to Temporal. Throws `TemporalUnavailable` as soon as Temporal is known to be out of reach, and after
   * `timeoutMs` at the latest; what the calls themselves throw comes through.
   */
  reach<T>(work: () => Promise<T>, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** How often Temporal is asked for a sign of life, and how long that may take: together less than the 2 s of a 503. */
const PROBE_EVERY_MS = 400;
const PROBE_TIMEOUT_MS = 1_200;
/** A server under load is slow, not gone. */
const PATIENCE_MS = 15_000;

/** Opens a client that connects with the first call, reconnects by itself and knows whether Temporal answers. */
export function openTemporal(place: TemporalPlace): Temporal {
  const { connection: options, namespace } = temporalOptions(place);
  const connection = Connection.lazy({
    ...options,
    // By default a call is tried for half a minute, whatever signal it is given, before it says that nobody answers.
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts: 3 }))],
    // And a server that is back is noticed up to two minutes later.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1_000 },
  });
  const client = new Client({ connection, namespace });
  const inFlight = new Set<AbortController>();
  let reachable = true;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const probe = async () => {
    try {
      const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      await within(signal, connection.workflowService.getSystemInfo({}));
      reachable = true;
    } catch {
      reachable = false;
      for (const call of inFlight) call.abort();
    }
    if (!closed) timer = setTimeout(() => void probe(), PROBE_EVERY_MS);
  };
  void probe();

  return {
    client,
    connection,
    isReachable: () => reachable,
    reach: async (work, timeoutMs = PATIENCE_MS) => {
      if (!reachable) throw new Failure('TemporalUnavailable');
      // Not `AbortSignal.any`: the listener that the connection adds and never removes would keep each call in memory
      // for ever, and a collection of garbage would take the timeout away.
      const call = new AbortController();
      const { signal } = call;
      const patience = setTimeout(() => call.abort(), timeoutMs);
      inFlight.add(call);
      try {
        return await within(signal, connection.withAbortSignal(signal, work));
      } catch (error) {
        throw signal.aborted || isOutOfReach(error) ? new Failure('TemporalUnavailable') : error;
      } finally {
        clearTimeout(patience);
        inFlight.delete(call);
      }
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await connection.close();
    },
  };
}

/** The answer, or the signal's reason as soon as it aborts: the call itself may take longer to notice. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let end: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    end = () => reject(new Error('aborted', { cause: signal.reason }));
    signal.addEventListener('abort', end, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
    // Nobody waits for it any more, so nobody else would catch what it throws.
    work.catch(() => undefined);
  }
}

/** gRPC's CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE. */
const OUT_OF_REACH: readonly number[] = [1, 4, 8, 14];

function isOutOfReach(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (isGrpcServiceError(cause)) return OUT_OF_REACH.includes(cause.code);
  }
  return false;
}

export type WorkflowLiveness = 'alive' | 'dead' | 'unknown';

/**
 * Whether the workflow that took something is still the one that lives under its id: dead when it is not found, closed
 * (other than by continuing as new), or another first run. When Temporal cannot be asked: `unknown`, to be taken as alive.
 */
export async function livenessOf(
  client: WorkflowClient,
  workflowId: string,
  firstRunId: string,
): Promise<WorkflowLiveness> {
  try {
    const description = await client.getHandle(workflowId).describe();
    if (firstRunIdOf(description) !== firstRunId) return 'dead';
    return isOpen(description) ? 'alive' : 'dead';
  } catch (error) {
    return error instanceof WorkflowNotFoundError ? 'dead' : 'unknown';
  }
}

/** True while a workflow of this id runs. Throws when Temporal cannot be asked. */
export async function isRunning(client: WorkflowClient, workflowId: string): Promise<boolean> {
  try {
    return isOpen(await client.getHandle(workflowId).describe());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** The first run of the chain that a description belongs to. */
export function firstRunIdOf({ raw, runId }: WorkflowExecutionDescription): string {
  const first = raw.workflowExecutionInfo?.firstRunId;
  return first ? first : runId;
}

/** True while the workflow runs, also when it has just continued as new. */
export function isOpen({ status }: WorkflowExecutionDescription): boolean {
  return status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW' || status.name === 'PAUSED';
}
