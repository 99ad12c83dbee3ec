// Whether an operation is held for a decision: from config alone, and never less strictly than anyone asked for.
import type { Effect, Risk } from './task.ts';

export interface RiskPolicy {
  readonly highRiskOperations: readonly string[];
  /** `destroy` operations that may run unguarded because config says so in as many words. */
  readonly allowUnguarded: readonly string[];
}

/** The verdict of config: `high` for a listed name, `safe` for every other. */
export function riskOf(operation: string, policy: RiskPolicy): Risk {
  return policy.highRiskOperations.includes(operation) ? 'high' : 'safe';
}

/** The stricter of two verdicts; an absent one is no opinion. */
export function stricter(own: Risk, other: Risk | undefined): Risk {
  return other === 'high' ? 'high' : own;
}

/** The `destroy` operations that config leaves unguarded without saying so: a start-up with one of these must fail. */
export function unguarded(
  operations: readonly { readonly name: string; readonly effect: Effect }[],
  policy: RiskPolicy,
): string[] {
  return operations
    .filter(({ name, effect }) => effect === 'destroy' && riskOf(name, policy) === 'safe')
    .map(({ name }) => name)
    .filter((name) => !policy.allowUnguarded.includes(name));
}
