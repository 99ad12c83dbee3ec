// The fleet, costs and findings in the form in which callers get them: money in USD, spans in seconds, and how old each figure is.
import { spanText } from '../domain/span.ts';
import type { MemberCost, MemberStorage, TaskCost } from '../service/cost.ts';
import type { FindingRow } from '../service/findings.ts';
import type { Fleet, FleetRow } from '../service/fleet.ts';

const iso = (at: Date | null) => at?.toISOString() ?? null;

/** A millionth of a dollar is more than prices are good for. */
const usd = (amount: number | null) => (amount === null ? null : Math.round(amount * 1e6) / 1e6);

/** How long ago something was, whole seconds; null when it never was. */
export function ageOf(at: Date | null, now: Date): number | null {
  return at && Math.max(0, Math.round((now.getTime() - at.getTime()) / 1000));
}

/** The cost of a member on its own. */
export function costOf(cost: MemberCost, now: Date) {
  return {
    usd_per_hour: usd(cost.usdPerHour),
    session_s: Math.round(cost.sessionMs / 1000),
    session_usd: usd(cost.sessionUsd),
    session_text: cost.sessionText,
    total_usd: usd(cost.totalUsd),
    total_since: iso(cost.totalSince),
    excludes:
      'Disks, which are billed until they are deleted (storage has those that are attached, by the month), snapshots, and data transfer.',
    storage: storageOf(cost.storage, now),
    prices_as_of: cost.pricesAsOf,
    prices_region: cost.pricesRegion,
    price_says: cost.priceSays,
    warnings: cost.warnings,
    budget: cost.budget,
  };
}

function storageOf(storage: MemberStorage | null, now: Date) {
  if (!storage) return null;
  const { disks, gib, usdPerMonth, priceSays, seenAt } = storage;
  return {
    disks,
    gib,
    usd_per_month: usd(usdPerMonth),
    price_says: priceSays,
    seen_at: seenAt.toISOString(),
    seen_age_s: ageOf(seenAt, now),
  };
}

/** What a task cost. */
export function taskCostOf(taskId: string, { memberId, from, to, usd: amount }: TaskCost) {
  return { task_id: taskId, member_id: memberId, from, to, usd: usd(amount) };
}

/** A page of the fleet. */
export function fleetOf({ now, totals, budget, rows }: Fleet) {
  const at = new Date(now);
  return {
    now,
    totals: {
      members: totals.members,
      running: totals.running,
      unpriced: totals.unpriced,
      usd_per_hour: usd(totals.usdPerHour),
      session_usd: usd(totals.sessionUsd),
      disks_unknown: totals.disksUnknown,
      disks_usd_per_month: usd(totals.disksUsdPerMonth),
      disks_seen_at: iso(totals.disksSeenAt),
      disks_seen_age_s: ageOf(totals.disksSeenAt, at),
    },
    budget,
    members: rows.map((row) => rowOf(row, at)),
  };
}

function rowOf({ row, cost, storage, leases, warnings }: FleetRow, now: Date) {
  const { name, region, state, launchedAt } = row;
  const uptimeS = state === 'running' ? ageOf(launchedAt, now) : null;
  return {
    member_id: row.id,
    friendly_name: name,
    state,
    instance_type: row.instanceType,
    uptime_s: uptimeS,
    uptime_text: uptimeS === null ? null : spanText(uptimeS * 1000),
    // Of a machine that is not in the cloud nobody knows what it costs.
    usd_per_hour: region !== null ? usd(cost.usdPerHour) : null,
    session_usd: region !== null ? usd(cost.sessionUsd) : null,
    disks_usd_per_month: usd(storage?.usdPerMonth ?? null),
    disks_seen_at: iso(storage?.seenAt ?? null),
    disks_seen_age_s: ageOf(storage?.seenAt ?? null, now),
    gpu_percent: row.gpuPercent,
    idle_since: iso(row.idleSince),
    stop_at: iso(row.stopAt),
    ready_at: iso(row.readyAt),
    leases: leases.map(({ holder, mode, takenAt }) => ({ holder, mode, since: iso(takenAt) })),
    warnings,
    observed_at: iso(row.observedAt),
    observed_age_s: ageOf(row.observedAt, now),
    probed_at: iso(row.probedAt),
    probed_age_s: ageOf(row.probedAt, now),
  };
}

/** A finding. */
export function findingOf({ kind, subject, says, firstSeenAt, lastSeenAt, resolvedAt }: FindingRow) {
  return {
    kind,
    subject,
    says,
    first_seen_at: iso(firstSeenAt),
    last_seen_at: iso(lastSeenAt),
    resolved_at: iso(resolvedAt),
  };
}
