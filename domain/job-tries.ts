// How often a job that does not go on is tried in a row, and how long the pauses between are.
import type { LaunchEnd } from './job.ts';

export type Tries = {
  /** Rounds since a launch last ran for a while: the more, the longer the pause. */
  readonly inRow: number;
  /** Those of them in which its machine could be had: only so many are made. */
  readonly counted: number;
};

export const NO_TRIES: Tries = { inRow: 0, counted: 0 };

/** How often in a row it may be cut off within a minute of its launch, or not be begun by its machine. */
const MOST_TRIES = 30;
/** What goes wrong so soon after the launch may go wrong again. */
const SOON_MS = 60_000;
const LONGEST_PAUSE_MS = 15 * 60_000;

export interface Round {
  readonly end: LaunchEnd;
  /** How long the launch was watched; what its machine took to get ready does not count. */
  readonly ranMs: number;
  /** False for a machine that cannot be had now: it is asked for as long as the job is wanted. */
  readonly counts: boolean;
}

/** A launch that ran for a while begins the count anew; a slow machine that never began one does not. */
export function triesAfter(tries: Tries, { end, ranMs, counts }: Round): Tries {
  if (end.kind === 'interrupted' && end.begun && ranMs >= SOON_MS) return NO_TRIES;
  return { inRow: tries.inRow + 1, counted: tries.counted + (counts ? 1 : 0) };
}

/** True when another try is not worth its while. */
export function isGivenUp({ counted }: Tries, { counts }: Round): boolean {
  return counts && counted >= MOST_TRIES;
}

/** Before the next round, ms. */
export function pauseAfter({ inRow }: Tries): number {
  return inRow > 1 ? Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** (inRow - 1)) : 0;
}

const ASK_AGAIN_MS = 60_000;
const ASK_SELDOM_MS = 60 * 60_000;

/**
 * When to ask again for a machine, though its answer comes by itself: a word that was lost costs so much. More and more
 * seldom, since a decision may take weeks.
 */
export function askAgainAfter(times: number): number {
  return Math.min(ASK_SELDOM_MS, ASK_AGAIN_MS * 2 ** times);
}
