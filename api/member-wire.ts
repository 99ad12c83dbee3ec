// Members in the form in which callers get them: snake_case, the registered fields first, then what was observed and when.
import type { MemberDetail } from '../service/member-detail.ts';
import type { VerdictRow } from '../service/idle.ts';
import type { MemberEventRow, MemberRow } from '../service/members.ts';
import { bodyOf } from './member-body.ts';
import { costOf, ageOf } from './fleet-wire.ts';
import { snakeKeys } from './wire.ts';

const iso = (at: Date | null) => at?.toISOString() ?? null;

/** A member in a list. */
export function memberOf(row: MemberRow) {
  const { settings } = row;
  return {
    member_id: row.id,
    ...bodyOf(settings),
    host: (settings.cloud ? row.address : null) ?? settings.host,
    state: row.state,
    instance_type: row.instanceType,
    launched_at: iso(row.launchedAt),
    observed_at: iso(row.observedAt),
    host_keys: row.hostKeys,
    host_key_source: row.hostKeySource,
    ready_at: iso(row.readyAt),
    ready_note: row.readyNote,
    idle_since: iso(row.idleSince),
    stop_at: iso(row.stopAt),
    snoozed_until: iso(row.snoozedUntil),
    last_use_at: iso(row.lastUseAt),
    gpu_percent: row.gpuPercent,
    probed_at: iso(row.probedAt),
    registered_at: iso(row.registeredAt),
    registered_by: row.registeredBy,
    updated_at: iso(row.updatedAt),
  };
}

/** A member on its own: who uses it, who waits for it, and what its ready steps did. */
export function detailOf({ row, leases, waiting, readyRuns, cost }: MemberDetail) {
  return {
    ...memberOf(row),
    observed_age_s: ageOf(row.observedAt, row.now),
    probed_age_s: ageOf(row.probedAt, row.now),
    cost: cost && costOf(cost, row.now),
    leases: leases.map(({ holder, mode, takenAt }) => ({ holder, mode, since: iso(takenAt) })),
    waiting: waiting.map(({ id, operation, updatedAt }) => ({ task_id: id, operation, since: iso(updatedAt) })),
    ready_runs: readyRuns.map((run) => ({
      name: run.name,
      ok: run.ok,
      at: iso(run.at),
      boot_id: run.bootId,
      attempts: run.attempts,
      duration_ms: run.durationMs,
      exit_code: run.exitCode,
      output: run.output,
      renew_at: iso(run.renewAt),
    })),
  };
}

/** A verdict of the idle sweep. */
export function verdictOf({ at, verdict, next, reasons, inputs }: VerdictRow) {
  return { at: iso(at), verdict, next, reasons, inputs: snakeKeys(inputs) };
}

/** An event of a member. */
export function memberEventOf({ id, at, by, kind, says, detail }: MemberEventRow) {
  return { id, at: iso(at), by, kind, says, detail };
}
