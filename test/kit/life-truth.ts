// What was true of a machine and when, as its driver knows it, and what a look at it should have shown.
import type { Blindness, Work } from './life-plan.ts';

/** What uses a machine, and what keeps a look from telling. */
export interface Situation {
  readonly work: Work | null;
  readonly blind: Blindness | null;
}

/** From `fromMs` to `toMs` it was so; null while it was being changed, of which nothing is asked. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly was: Situation | null;
}

export interface Snooze {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class Truth {
  readonly #marks: { readonly atMs: number; readonly was: Situation | null }[] = [];
  readonly snoozes: Snooze[] = [];
  /** When commands that were over at once had ended. */
  readonly touches: number[] = [];
  /** Work that did not come to its end. */
  readonly lost: string[] = [];

  get isUnsettled(): boolean {
    return this.#marks.at(-1)?.was === null;
  }

  unsettled(): void {
    if (!this.isUnsettled) this.#marks.push({ atMs: Date.now(), was: null });
  }

  settled(was: Situation): void {
    this.#marks.push({ atMs: Date.now(), was });
  }

  spans(endMs: number): Span[] {
    return this.#marks.map(({ atMs, was }, index) => ({
      fromMs: atMs,
      toMs: this.#marks[index + 1]?.atMs ?? endMs,
      was,
    }));
  }
}

export const CALM: Situation = { work: null, blind: null };

const BY_SSH: readonly Blindness[] = ['freeze', 'hang', 'refuse'];
const BY_GPU: readonly Blindness[] = ['gpu_hang', 'gpu_garbage'];

/** The verdict that is right: a lease is known without a look, and other use only where it is not hidden. */
export function rightVerdict({ work, blind }: Situation): 'busy' | 'idle' | 'unknown' {
  if (work === 'command') return 'busy';
  if (blind === null) return work === null ? 'idle' : 'busy';
  if (work === null || BY_SSH.includes(blind)) return 'unknown';
  const hidden = BY_GPU.includes(blind) ? work === 'gpu' || work === 'context' : work === 'custom';
  return hidden ? 'unknown' : 'busy';
}
