// A budget of machine time: how much of it is spent, and whether that calls for a warning or for stopping.
import type { Spent } from './cost.ts';
import { usdText } from './cost.ts';

/** Null for no limit of that kind. */
export interface Budget {
  readonly per: 'day' | 'month';
  readonly warnUsd: number | null;
  readonly stopUsd: number | null;
}

/** The budgets of config: of each member, and of all machines of each tenant together; null for none. */
export interface Budgets {
  readonly member: Budget | null;
  readonly tenant: Budget | null;
}

export interface BudgetState {
  readonly level: 'ok' | 'warn' | 'stop';
  /** One sentence for people. */
  readonly says: string;
}

/** When the day or month of a budget began, ISO; both are counted in UTC, as AWS bills. */
export function budgetStart(per: Budget['per'], now: string): string {
  const at = new Date(now);
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), per === 'day' ? at.getUTCDate() : 1)).toISOString();
}

/** Judges what was spent since {@link budgetStart}; null for spent is a cost that is not known. */
export function budgetState({ per, warnUsd, stopUsd }: Budget, spentUsd: number | null): BudgetState {
  const span = per === 'day' ? 'today' : 'this month';
  if (warnUsd === null && stopUsd === null) return { level: 'ok', says: 'There is no budget.' };
  // A cost that cannot be counted is no reason to stop anything, and a reason to tell somebody.
  if (spentUsd === null) return { level: 'warn', says: `What was spent ${span} is not known, so no budget holds.` };
  const spent = `${usdText(spentUsd)} spent ${span}`;
  if (stopUsd !== null && spentUsd >= stopUsd) {
    return { level: 'stop', says: `${spent}: the limit of ${usdText(stopUsd)} is reached.` };
  }
  if (warnUsd !== null && spentUsd >= warnUsd) {
    const limit = stopUsd === null ? 'there is no limit' : `the limit is ${usdText(stopUsd)}`;
    return { level: 'warn', says: `${spent}, more than ${usdText(warnUsd)}; ${limit}.` };
  }
  return { level: 'ok', says: `${spent}, of ${usdText(stopUsd ?? warnUsd)}.` };
}

/**
 * The same where prices may be missing: what is known of the cost may reach the limit alone, and then it is reached;
 * else a cost that cannot be counted is a warning.
 */
export function judgeBudget(budget: Budget, { knownUsd, complete }: Spent): BudgetState {
  const known = budgetState(budget, knownUsd);
  return complete || known.level === 'stop' ? known : budgetState(budget, null);
}

/**
 * What is said of a budget that is no longer kept: the same words for as long as the level and the day or month are,
 * so that it is said once.
 */
export function budgetWords(
  whose: string,
  { per, warnUsd, stopUsd }: Budget,
  { level, complete, now }: { readonly level: 'warn' | 'stop'; readonly complete: boolean; readonly now: string },
): string {
  const span = per === 'day' ? now.slice(0, 10) : now.slice(0, 7);
  if (level === 'stop') return `${whose} has reached the limit of ${usdText(stopUsd)} of machine time for ${span}.`;
  if (!complete) return `What ${whose} has used in ${span} is not known, so its budget does not hold.`;
  const limit = stopUsd === null ? 'there is no limit' : `the limit is ${usdText(stopUsd)}`;
  return `${whose} has used ${usdText(warnUsd)} of machine time or more in ${span}; ${limit}.`;
}
