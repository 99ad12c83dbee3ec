// How long to wait before an operation is tried again.

/** AWS and most servers forgive a doubling wait; the cap keeps a long outage from looking like a dead task. */
const LONGEST_MS = 60_000;
const JITTER = 0.1;

/**
 * The wait before retry number `retry` (1 for the first), ms: base, doubled each time, capped at a minute, or at a
 * base that is longer than that, ±10 %.
 * `random` is in [0, 1).
 */
export function retryDelayMs(baseMs: number, retry: number, random: number): number {
  const delay = Math.min(baseMs * 2 ** (retry - 1), Math.max(LONGEST_MS, baseMs));
  return Math.round(delay * (1 - JITTER + 2 * JITTER * random));
}
