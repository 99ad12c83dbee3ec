// Troubles on request: which calls are to be throttled, refused, delayed or left without an answer, and how often.
import type { Refusal } from './refusal.ts';

export const faultKinds = ['throttle', 'capacity', 'error', 'hang', 'lost_answer', 'lost_answer_slow', 'slow'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly action: string;
  readonly kind: FaultKind;
  /** -1 until removed. */
  readonly times: number;
  readonly instance_id?: string;
  readonly refusal?: Refusal;
  readonly delay_ms: number;
}

export class Faults {
  #faults: Fault[] = [];

  add(fault: Fault): void {
    this.#faults.push(fault);
  }

  list(): readonly Fault[] {
    return this.#faults;
  }

  clear(): number {
    const count = this.#faults.length;
    this.#faults = [];
    return count;
  }

  /** The oldest fault that fits the call; taking it uses it up by one. */
  take(action: string, ids: readonly string[]): Fault | undefined {
    const found = this.#faults.find(
      (fault) =>
        (fault.action === '*' || fault.action === action) &&
        (fault.instance_id === undefined || ids.includes(fault.instance_id)),
    );
    if (found && found.times > 0) {
      const left = { ...found, times: found.times - 1 };
      this.#faults = this.#faults.flatMap((fault) => (fault !== found ? [fault] : left.times > 0 ? [left] : []));
    }
    return found;
  }
}
