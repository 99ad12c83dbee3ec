// Budgets that act: what machine time has cost, who is told, and which machines that run are to be stopped for it.
import { randomUUID } from 'node:crypto';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import type { DueStop } from '../domain/activity.ts';
import type { Budget, BudgetState } from '../domain/budget.ts';
import { budgetStart, budgetWords, judgeBudget } from '../domain/budget.ts';
import type { Spent } from '../domain/cost.ts';
import { grouped } from '../domain/grouped.ts';
import type { Policy } from '../domain/policy.ts';
import { spentBy } from '../service/cost.ts';
import type { Whose } from '../store/cost.ts';
import { billedTime, claimStop, tenantsWithMembers } from '../store/cost.ts';
import { keepFindings, resolveFindings } from '../store/findings.ts';
import { noteOnce } from '../store/member-events.ts';
import type { MemberRow } from '../store/members.ts';
import { FAILED_STOP_PAUSE_MS, isBeingStopped } from '../store/verdicts.ts';

export interface BudgetParts {
  readonly postgres: Postgres;
  readonly policy: Pick<Policy, 'prices' | 'budgets' | 'idle'>;
}

/** What is left is stopped by the next sweep. */
const STOPS_A_SWEEP = 50;

interface Kept {
  readonly budget: Budget;
  readonly spent: Spent;
  readonly level: BudgetState['level'];
  /** The same as long as the level and the day or month are. */
  readonly says: string;
}

/**
 * The stops that budgets ask for among members that run, each claimed for the task it names; a member that is being
 * stopped already is left alone. Warnings and reached limits are noted once a day or month: on the member, and for a
 * tenant as a finding. Every tenant is judged, also one of which nothing runs.
 */
export async function budgetStops(parts: BudgetParts, running: readonly MemberRow[]): Promise<DueStop[]> {
  const now = new Date().toISOString();
  const members = await judgeMembers(parts, running, now);
  const tenants = await judgeTenants(parts, now);
  const stops: DueStop[] = [];
  for (const row of running) {
    const own = members.get(row.id);
    if (own?.level === 'warn') await note(parts, row, 'budget_warning', own);
    const reached = [own, tenants.get(row.tenant)].find((kept) => kept?.level === 'stop');
    if (!reached || stops.length >= STOPS_A_SWEEP) continue;
    await note(parts, row, 'budget_reached', reached);
    const stop = await claim(parts, row);
    if (stop) stops.push(stop);
  }
  return stops;
}

async function judgeMembers(
  { postgres, policy: { budgets, prices } }: BudgetParts,
  running: readonly MemberRow[],
  now: string,
): Promise<ReadonlyMap<string, Kept>> {
  const budget = budgets.member;
  if (!budget || running.length === 0) return new Map();
  const whose: Whose = { ids: running.map(({ id }) => id) };
  const times = await reaching(billedTime(postgres.db, whose, budgetStart(budget.per, now)));
  const spentOf = grouped(times, ({ memberId }) => memberId);
  return new Map(
    running.map(({ id, settings }) => [id, keptOf(settings.name, budget, spentBy(spentOf.get(id) ?? [], prices), now)]),
  );
}

async function judgeTenants(
  { postgres: { db }, policy: { budgets, prices } }: BudgetParts,
  now: string,
): Promise<ReadonlyMap<string, Kept>> {
  const budget = budgets.tenant;
  const judged = new Map<string, Kept>();
  if (!budget) return judged;
  const since = budgetStart(budget.per, now);
  for (const tenant of await reaching(tenantsWithMembers(db))) {
    const times = await reaching(billedTime(db, { tenant }, since));
    const kept = keptOf(`Tenant ${tenant}`, budget, spentBy(times, prices), now);
    judged.set(tenant, kept);
    if (kept.level === 'ok') await reaching(resolveFindings(db, 'tenant_budget', [tenant]));
    else await reaching(keepFindings(db, [{ kind: 'tenant_budget', subject: tenant, tenant, says: kept.says }]));
  }
  return judged;
}

function keptOf(whose: string, budget: Budget, spent: Spent, now: string): Kept {
  const { level, says } = judgeBudget(budget, spent);
  const { complete } = spent;
  return { budget, spent, level, says: level === 'ok' ? says : budgetWords(whose, budget, { level, complete, now }) };
}

async function note(
  { postgres }: BudgetParts,
  row: MemberRow,
  kind: 'budget_warning' | 'budget_reached',
  { budget, spent, says }: Kept,
): Promise<void> {
  const detail = {
    per: budget.per,
    warn_usd: budget.warnUsd,
    stop_usd: budget.stopUsd,
    known_usd: Math.round(spent.knownUsd * 100) / 100,
  };
  await reaching(noteOnce(postgres.db, row, { by: 'policy/budget', kind, says, detail }));
}

async function claim({ postgres: { db }, policy }: BudgetParts, row: MemberRow): Promise<DueStop | undefined> {
  const { cloud, name } = row.settings;
  if (!cloud || (await reaching(isBeingStopped(db, row, FAILED_STOP_PAUSE_MS * policy.idle.timeScale))))
    return undefined;
  const taskId = randomUUID();
  if (!(await reaching(claimStop(db, row, taskId)))) return undefined;
  const { tenant } = row;
  return { taskId, name, tenant, instanceId: cloud.instanceId, by: 'policy/budget', ifIdle: false };
}
