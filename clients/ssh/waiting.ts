// What ends the wait for a command before the command does, and waits with a bound.
import type { Link } from './link.ts';

export type Interruption = 'link' | 'timeout' | 'aborted';

/** The longest a timer of Node waits; one that is asked for more does not wait at all. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export interface Interruptions {
  readonly happened: Promise<Interruption>;
  /** Stops watching. */
  end(): void;
}

/** Watches a link, a caller's patience and a moment of `performance.now()`; the first of them counts. */
export function interruptionOf(link: Link, signal: AbortSignal | undefined, deadlineMs: number): Interruptions {
  const stops: (() => void)[] = [];
  const happened = new Promise<Interruption>((resolve) => {
    const timer = setTimeout(() => resolve('timeout'), leftUntil(deadlineMs));
    const onAbort = () => resolve('aborted');
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    stops.push(
      () => clearTimeout(timer),
      () => signal?.removeEventListener('abort', onAbort),
      link.whenLost(() => resolve('link')),
    );
  });
  return {
    happened,
    end: () => {
      for (const stop of stops) stop();
    },
  };
}

/** What is left until a moment of `performance.now()`, as a timer takes it. */
export function leftUntil(deadlineMs: number): number {
  return Math.min(LONGEST_WAIT_MS, Math.max(0, deadlineMs - performance.now()));
}

/** What a promise gives, or undefined when it gives nothing in time. */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
