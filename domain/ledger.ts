// When the cost ledger closes one stretch of a machine's time and opens the next, told from two looks at its instance.
import type { InstanceState } from './instance.ts';

/** What was known of an instance; the times are ISO, null while nothing is known. */
export interface KnownStretch {
  readonly state: InstanceState | null;
  readonly type: string | null;
  readonly launchedAt: string | null;
  readonly observedAt: string | null;
}

/** ISO times; null for the time of the look. */
export interface LedgerTurn {
  readonly closeAt: string | null;
  readonly openAt: string | null;
}

/**
 * The turn that a look shows; undefined when it goes on as it was. A machine that was started since the look before ran
 * from then on, and what ran before was last seen at that look: nobody knows how soon after it was stopped.
 */
export function ledgerTurn(
  known: KnownStretch,
  seen: { readonly state: InstanceState; readonly type: string; readonly launchedAt: string | null },
): LedgerTurn | undefined {
  const { observedAt } = known;
  const up = seen.state === 'running' || seen.state === 'pending';
  const launchedAt = up ? seen.launchedAt : null;
  if (observedAt === null) return { closeAt: null, openAt: seen.state === 'running' ? launchedAt : null };
  if (launchedAt !== null && launchedAt !== known.launchedAt && Date.parse(launchedAt) > Date.parse(observedAt)) {
    return { closeAt: known.state === 'running' ? observedAt : launchedAt, openAt: launchedAt };
  }
  return known.state === seen.state && known.type === seen.type ? undefined : { closeAt: null, openAt: null };
}
