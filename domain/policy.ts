// What config asks of every task, and the terms that follow from it for one.
import type { Budgets } from './budget.ts';
import type { GithubApp } from './github-app.ts';
import type { IdlePolicy } from './idle-policy.ts';
import { scaledPolicy } from './idle-policy.ts';
import type { CloudBlock } from './member.ts';
import type { PriceOverride } from './prices.ts';
import type { RiskPolicy } from './risk.ts';
import { riskOf, stricter } from './risk.ts';
import type { SecretRef } from './secret.ts';
import type { Effect, Risk, Terms, UndoPolicy } from './task.ts';

/** A short-lived token for git on members: found where a secret is, or made by an App for each member. */
export type VcsToken = { readonly host: string; readonly expiresInS: number } & (
  { readonly secret: SecretRef } | { readonly githubApp: GithubApp }
);

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
  /** Programs that take a prompt on their input, by name. */
  readonly agents: Readonly<Record<string, { readonly command: string }>>;
  /** How long a machine that runs may take to answer by SSH. */
  readonly reachMs: number;
  /** How long a call is tried again while the cloud has no capacity. */
  readonly capacityMs: number;
  /** What the shipped ready steps bring, where config says so. */
  readonly provision: {
    /** Variables for each provider of agents, by the name of the variable. */
    readonly agentAuth: Readonly<Record<string, Readonly<Record<string, SecretRef>>>>;
    readonly vcsToken: VcsToken | null;
  };
  /** Undefined for the prices of the package. */
  readonly prices: PriceOverride | undefined;
  readonly budgets: Budgets;
  readonly jobs: {
    /** How long the folder of a job stays on its machine after a success, and after any other end. */
    readonly keepSuccessMs: number;
    readonly keepOtherMs: number;
    /** How long its log and its artifacts can be read here. */
    readonly keepLogMs: number;
  };
  readonly idle: {
    /** What every minute of idleness is multiplied by. */
    readonly timeScale: number;
    readonly keepVerdictsMs: number;
    readonly maxSnoozeMin: number;
    /** For members that say nothing else, unscaled. */
    readonly rule: IdlePolicy;
  };
}

/** The idle rule of one member, scaled. */
export function idleRuleOf({ idle }: Pick<Policy, 'idle'>, cloud: CloudBlock): IdlePolicy {
  const { idleTimeoutMin, maxRunMin, onUnknown } = cloud;
  return scaledPolicy(
    {
      ...idle.rule,
      idleTimeoutMs: idleTimeoutMin * MINUTE_MS,
      maxRunMs: maxRunMin === null ? null : maxRunMin * MINUTE_MS,
      onUnknown,
    },
    idle.timeScale,
  );
}

const MINUTE_MS = 60_000;

/**
 * The terms of a task of an operation; `asked` is the door's verdict, which can only make them stricter, and
 * `leastDeadlineMs` what its parameters need.
 */
export function termsOf(
  operation: { readonly name: string; readonly effect: Effect; readonly keepsOnFailure?: boolean },
  policy: Policy,
  asked: Risk | undefined,
  leastDeadlineMs = 0,
): Terms {
  const { confirmMs, maxRetries, retryDelayMs, leaseWaitMs, undo } = policy;
  return {
    effect: operation.effect,
    risk: stricter(riskOf(operation.name, policy.risk), asked),
    confirmMs,
    deadlineMs: policy.deadlineMsOf[operation.name] ?? Math.max(policy.deadlineMs, leastDeadlineMs),
    maxRetries,
    retryDelayMs,
    leaseWaitMs,
    undo: operation.keepsOnFailure === true ? KEPT[undo] : undo,
  };
}

/** What is left of each policy where a failure undoes nothing. */
const KEPT: Readonly<Record<UndoPolicy, Terms['undo']>> = {
  failure: 'never',
  failure_and_cancel: 'cancel',
  never: 'never',
};
