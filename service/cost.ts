// What machines cost: the session that goes on, all that was seen, the budget, and the machine time of one task.
import { reaching } from '../clients/postgres.ts';
import type { BudgetState } from '../domain/budget.ts';
import { budgetStart, judgeBudget } from '../domain/budget.ts';
import type { Cost, CostWarning, Spent } from '../domain/cost.ts';
import {
  costOf,
  costWarnings,
  isBilled,
  rateText,
  sessionStart,
  spentOn,
  usdBetween,
  usdOf,
  usdText,
} from '../domain/cost.ts';
import type { Storage } from '../domain/disks.ts';
import { storageOf } from '../domain/disks.ts';
import { Failure } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import type { PriceOverride } from '../domain/prices.ts';
import { PRICES_AS_OF, priceOf, priceSource, rateOf } from '../domain/prices.ts';
import { durationText } from '../domain/span.ts';
import { isTaskId, isTerminal } from '../domain/task.ts';
import type { BilledRow, SessionRow, Whose } from '../store/cost.ts';
import { billedBetween, billedTime, ledgerStart, sessionsOf } from '../store/cost.ts';
import { eventsOfTask } from '../store/events.ts';
import type { LeaseRow } from '../store/leases.ts';
import { findTask } from '../store/tasks.ts';
import type { MemberRow } from './members.ts';
import type { Service } from './open.ts';

/** What reading costs takes. */
export type CostParts = Pick<Service, 'postgres'> & { readonly policy: Pick<Policy, 'prices' | 'budgets'> };

/** The session of a machine as it goes on; nothing for one of which nothing was seen. */
export function sessionCost(session: SessionRow | undefined, now: string, prices: PriceOverride | undefined): Cost {
  if (!session?.state || !session.seenAt || !isBilled({ state: session.state })) return costOf([], now);
  const { seenAt, launchedAt, instanceType, usdPerHour } = session;
  const from = sessionStart(seenAt.toISOString(), launchedAt?.toISOString() ?? null);
  return costOf(
    [{ from, to: null, usdPerHour: rateOf({ instanceType: instanceType ?? '', usdPerHour }, prices) }],
    now,
  );
}

/** What billed time cost, by today's knowledge of prices. */
export function spentBy(rows: readonly BilledRow[], prices: PriceOverride | undefined): Spent {
  return spentOn(rows.map((row) => ({ ms: row.ms, usdPerHour: rateOf(row, prices) })));
}

export interface Used {
  readonly instanceType: string | null;
  /** When a lease on it last ended. */
  readonly lastUseAt: Date | null;
  /** When a look last saw it in use, ISO. */
  readonly lastSeenBusyAt: string | null;
  readonly leases: readonly Pick<LeaseRow, 'mode'>[];
}

/** The warnings that a member deserves now. Who holds it uses it. */
export function warningsOn(
  { instanceType, lastUseAt, lastSeenBusyAt, leases }: Used,
  cost: Cost,
  now: string,
): CostWarning[] {
  const held = leases.some(({ mode }) => mode === 'shared');
  const seen = [lastUseAt?.toISOString(), lastSeenBusyAt, held ? now : null].flatMap((at) => at ?? []).sort();
  return costWarnings(cost, { type: instanceType ?? 'this machine', lastUseAt: seen.at(-1) ?? null, now });
}

export interface MemberStorage extends Storage {
  readonly seenAt: Date;
}

/** What the disks of a member cost, as they were last seen. */
export function storageOn(
  { disks, disksSeenAt }: Pick<MemberRow, 'disks' | 'disksSeenAt'>,
  region: string | null,
  prices: PriceOverride | undefined,
): MemberStorage | null {
  return disks && disksSeenAt && { ...storageOf(disks, region ?? '', prices), seenAt: disksSeenAt };
}

export interface MemberCost extends Pick<Cost, 'usdPerHour' | 'sessionMs' | 'sessionUsd'> {
  readonly sessionText: string;
  /** Of all machine time since the ledger has it. */
  readonly totalUsd: number | null;
  readonly totalSince: Date | null;
  readonly pricesAsOf: string;
  /** Null for a price that config gives, and for one that nobody knows. */
  readonly pricesRegion: string | null;
  readonly priceSays: string;
  /** Of its disks, which cost whether it runs or not; null before anybody looked at them. */
  readonly storage: MemberStorage | null;
  readonly warnings: readonly CostWarning[];
  readonly budget: BudgetState | null;
}

/** The cost of a cloud member. */
export async function memberCost(
  { postgres: { db }, policy: { prices, budgets } }: CostParts,
  row: MemberRow,
  { leases, now }: { readonly leases: readonly LeaseRow[]; readonly now: string },
): Promise<MemberCost> {
  const whose = { ids: [row.id] };
  const [[session], total, totalSince, spent] = await reaching(
    Promise.all([
      sessionsOf(db, row.tenant, row.id),
      billedTime(db, whose, null),
      ledgerStart(db, row.id),
      budgets.member && billedTime(db, whose, budgetStart(budgets.member.per, now)),
    ]),
  );
  const cost = sessionCost(session, now, prices);
  const { usdPerHour, sessionMs, sessionUsd } = cost;
  const price = row.instanceType === null ? null : priceOf(row.instanceType, prices);
  const region = row.settings.cloud?.region ?? '';
  const storage = storageOn(row, region, prices);
  return {
    usdPerHour,
    sessionMs,
    sessionUsd,
    sessionText: sessionText(cost, storage),
    totalUsd: usdOf(spentBy(total, prices)),
    totalSince,
    pricesAsOf: price?.asOf ?? PRICES_AS_OF,
    pricesRegion: price?.region ?? null,
    priceSays: priceSource(price, region),
    storage,
    warnings: warningsOn({ ...row, lastSeenBusyAt: row.clocks?.lastSeenBusyAt ?? null, leases }, cost, now),
    budget: budgets.member && spent ? judgeBudget(budgets.member, spentBy(spent, prices)) : null,
  };
}

function sessionText({ running, sessionMs, sessionUsd, usdPerHour }: Cost, storage: MemberStorage | null): string {
  if (!running) {
    const usd = storage?.usdPerMonth ?? null;
    return usd === null ? 'It does not run.' : `It does not run: only its disks are billed, ${usdText(usd)} a month.`;
  }
  return `${usdText(sessionUsd)} in ${durationText(sessionMs)} at ${rateText(usdPerHour)}`;
}

/** How the budget of a tenant stands; null where it has none. */
export async function tenantBudget(
  { postgres: { db }, policy: { prices, budgets } }: CostParts,
  tenant: string,
  now: string,
): Promise<BudgetState | null> {
  if (!budgets.tenant) return null;
  const whose: Whose = { tenant };
  const rows = await reaching(billedTime(db, whose, budgetStart(budgets.tenant.per, now)));
  return judgeBudget(budgets.tenant, spentBy(rows, prices));
}

export interface TaskCost {
  /** Null for a task that uses no member. */
  readonly memberId: string | null;
  /** From when to when it had the member, ISO; null for not at all, and for still. */
  readonly from: string | null;
  readonly to: string | null;
  readonly usd: number | null;
}

/**
 * What the machine of a task cost from the moment the task set about it until it ended, or until now. Tasks that share
 * a machine each count all of it. Throws `TaskNotFound`.
 */
export async function taskCost(
  { postgres: { db }, policy: { prices } }: CostParts,
  tenant: string,
  id: string,
): Promise<TaskCost> {
  const found = isTaskId(id) ? await reaching(findTask(db, tenant, id)) : undefined;
  if (!found) throw new Failure('TaskNotFound', { id });
  const memberId = found.row.plan?.needs?.memberId ?? null;
  if (memberId === null) return { memberId, from: null, to: null, usd: 0 };
  const events = await reaching(eventsOfTask(db, tenant, id));
  const from = events.find(({ phase }) => phase === 'getting_ready' || phase === 'executing')?.at ?? null;
  if (from === null) return { memberId, from, to: null, usd: 0 };
  const to = events.findLast((event) => isTerminal(event.to))?.at ?? null;
  const span = { from, to: to ?? found.now.toISOString() };
  const stretches = await reaching(billedBetween(db, memberId, span));
  const priced = stretches.map((stretch) => ({ ...stretch, usdPerHour: rateOf(stretch, prices) }));
  return { memberId, from, to, usd: usdBetween(priced, span.from, span.to) };
}
