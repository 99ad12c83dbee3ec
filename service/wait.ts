// Waiting, with words, for what a process cannot do without: it never starts half.
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../clients/log.ts';
import { assetPath } from '../config/paths.ts';
import { migrate } from '../store/migrate.ts';

const PAUSE_MS = 1_000;

/** Tries until it works or `signal` aborts; says once what is waited for, and again when the reason changes. */
export async function waitFor<T>(what: string, log: Log, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let said = '';
  for (;;) {
    try {
      const answer = await work();
      signal.throwIfAborted();
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      const why = reasonOf(error);
      if (why !== said) log.warn(`waiting for ${what}: ${why}`);
      said = why;
    }
    await pause(PAUSE_MS, undefined, { signal });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' && error.cause ? reasonOf(error.cause) : error.message;
}

/** Waits for PostgreSQL and brings its tables up to date. */
export function prepareStore(url: string, log: Log, signal: AbortSignal): Promise<void> {
  return waitFor('PostgreSQL', log, signal, () => migrate(url, assetPath('store', 'migrations')));
}
