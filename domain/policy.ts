// What config asks of every task, and the terms that follow from it for one.
import type { RiskPolicy } from './risk.ts';
import { riskOf, stricter } from './risk.ts';
import type { Effect, Risk, Terms, UndoPolicy } from './task.ts';

export interface Policy {
  readonly risk: RiskPolicy;
  readonly confirmMs: number;
  readonly deadlineMs: number;
  /** Deadlines of operations that differ, ms. */
  readonly deadlineMsOf: Readonly<Record<string, number>>;
  readonly maxRetries: number;
  readonly retryDelayMs: number;
  readonly leaseWaitMs: number;
  readonly undo: UndoPolicy;
}

/** The terms of a task of an operation; `asked` is the door's verdict, which can only make them stricter. */
export function termsOf(
  operation: { readonly name: string; readonly effect: Effect },
  policy: Policy,
  asked: Risk | undefined,
): Terms {
  const { confirmMs, maxRetries, retryDelayMs, leaseWaitMs, undo } = policy;
  return {
    effect: operation.effect,
    risk: stricter(riskOf(operation.name, policy.risk), asked),
    confirmMs,
    deadlineMs: policy.deadlineMsOf[operation.name] ?? policy.deadlineMs,
    maxRetries,
    retryDelayMs,
    leaseWaitMs,
    undo,
  };
}
