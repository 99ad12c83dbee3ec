// All members of a tenant at a glance, from the store alone: the sweep looks at the cloud, and each figure says how old it is.
import { reaching } from '../clients/postgres.ts';
import type { BudgetState } from '../domain/budget.ts';
import { budgetStart, judgeBudget } from '../domain/budget.ts';
import type { Cost } from '../domain/cost.ts';
import { sum } from '../domain/cost.ts';
import { storageOf } from '../domain/disks.ts';
import { grouped } from '../domain/grouped.ts';
import type { PriceOverride } from '../domain/prices.ts';
import { billedTime, sessionsOf } from '../store/cost.ts';
import type { LeaseRow } from '../store/leases.ts';
import type { FleetMemberRow } from '../store/fleet.ts';
import { disksOfTenant } from '../store/disks.ts';
import { listFleet } from '../store/fleet.ts';
import { leasesOn } from '../store/leases.ts';
import type { CostParts, MemberStorage } from './cost.ts';
import { sessionCost, spentBy, storageOn, tenantBudget, warningsOn } from './cost.ts';

export interface FleetWarning {
  readonly kind: string;
  readonly says: string;
}

export interface FleetRow {
  readonly row: FleetMemberRow;
  readonly cost: Cost;
  readonly storage: MemberStorage | null;
  readonly leases: readonly LeaseRow[];
  readonly warnings: readonly FleetWarning[];
}

export interface FleetTotals {
  readonly members: number;
  readonly running: number;
  /** Running machines whose price is not known: where there are any, the sums are not known either. */
  readonly unpriced: number;
  readonly usdPerHour: number | null;
  readonly sessionUsd: number | null;
  /** Machines whose disks were not looked at yet, or have no known price: then their sum is not known either. */
  readonly disksUnknown: number;
  readonly disksUsdPerMonth: number | null;
  /** The oldest look that the sum rests on; null for none. */
  readonly disksSeenAt: Date | null;
}

export interface Fleet {
  /** When these figures were put together, ISO. */
  readonly now: string;
  /** Of the whole tenant, whatever the page. */
  readonly totals: FleetTotals;
  /** Of the tenant; null where it has none. */
  readonly budget: BudgetState | null;
  readonly rows: readonly FleetRow[];
  readonly more: boolean;
}

/** A page of the fleet by name, in a handful of queries however many members there are. */
export async function getFleet(
  parts: CostParts,
  tenant: string,
  page: { readonly after?: string; readonly limit: number },
): Promise<Fleet> {
  const { db } = parts.postgres;
  const { prices, budgets } = parts.policy;
  const now = new Date().toISOString();
  const [{ rows, more }, sessions, disks, budget] = await reaching(
    Promise.all([
      listFleet(db, tenant, page),
      sessionsOf(db, tenant),
      disksOfTenant(db, tenant),
      tenantBudget(parts, tenant, now),
    ]),
  );
  const ids = rows.map(({ id }) => id);
  const [leases, spent] = await reaching(
    Promise.all([
      rows.length === 0
        ? []
        : leasesOn(
            db,
            rows.map(({ target }) => target),
          ),
      budgets.member ? billedTime(db, { ids }, budgetStart(budgets.member.per, now)) : [],
    ]),
  );
  const sessionById = new Map(sessions.map((session) => [session.id, session]));
  const leasesOf = grouped(leases, ({ target }) => target);
  const spentOf = grouped(spent, ({ memberId }) => memberId);
  const budgetOf = (id: string): FleetWarning[] => {
    if (!budgets.member) return [];
    const { level, says } = judgeBudget(budgets.member, spentBy(spentOf.get(id) ?? [], prices));
    return level === 'ok' ? [] : [{ kind: `budget_${level}`, says }];
  };
  return {
    now,
    totals: {
      ...totalsOf(sessions.map((session) => sessionCost(session, now, prices))),
      ...disksTotals(disks, prices),
    },
    budget,
    rows: rows.map((row) => {
      const cost = sessionCost(sessionById.get(row.id), now, prices);
      const held = leasesOf.get(row.target) ?? [];
      const warnings = [...warningsOn({ ...row, leases: held }, cost, now), ...budgetOf(row.id)];
      return { row, cost, storage: storageOn(row, row.region, prices), leases: held, warnings };
    }),
    more,
  };
}

function totalsOf(costs: readonly Cost[]): Omit<FleetTotals, keyof DisksTotals> {
  const running = costs.filter((cost) => cost.running);
  const rates = running.flatMap(({ usdPerHour }) => usdPerHour ?? []);
  const unpriced = running.length - rates.length;
  const sum = (parts: readonly number[]) => (unpriced > 0 ? null : parts.reduce((total, part) => total + part, 0));
  return {
    members: costs.length,
    running: running.length,
    unpriced,
    usdPerHour: sum(rates),
    sessionUsd: sum(running.flatMap(({ sessionUsd }) => sessionUsd ?? [])),
  };
}

type DisksTotals = Pick<FleetTotals, 'disksUnknown' | 'disksUsdPerMonth' | 'disksSeenAt'>;

function disksTotals(
  groups: Awaited<ReturnType<typeof disksOfTenant>>,
  prices: PriceOverride | undefined,
): DisksTotals {
  const costs = groups.map(({ disks, count }) => {
    const usd = disks && storageOf(disks, '', prices).usdPerMonth;
    return { count, usd: usd === null ? null : usd * count };
  });
  return {
    disksUnknown: costs.reduce((members, { usd, count }) => members + (usd === null ? count : 0), 0),
    disksUsdPerMonth: sum(costs.map(({ usd }) => usd)),
    disksSeenAt: groups.flatMap(({ seenAt }) => seenAt ?? []).toSorted((a, b) => a.getTime() - b.getTime())[0] ?? null,
  };
}
