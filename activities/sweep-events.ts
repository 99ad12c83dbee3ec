// What the idle sweep tells people: a stop that is near, a machine that cannot be judged, and a stop that failed.
import type { Queries } from '../clients/postgres.ts';
import type { Judgement } from '../domain/idle.ts';
import { noteMember, noteOnce } from '../store/member-events.ts';
import type { MemberRow } from '../store/members.ts';
import { failedStop } from '../store/verdicts.ts';

/** Notes a warning, or that nobody can tell; nothing for any other judgement. Must run in a transaction. */
export async function noteJudgement(db: Queries, row: MemberRow, judgement: Judgement): Promise<void> {
  const { next, reasons, stopAt, cause } = judgement;
  const why = reasons.slice(0, 6).join('; ');
  const detail = { reasons, stop_at: stopAt, cause };
  if (next === 'warn') {
    const says = `${row.settings.name} will be stopped at ${stopAt ?? 'once'}: ${why}.`;
    await noteMember(db, row, { by: 'policy/idle', kind: 'stop_warning', says, detail });
  }
  if (next === 'alert_unknown') {
    const says = `It cannot be told whether ${row.settings.name} works, so it is left running: ${why}.`;
    await noteOnce(db, row, { by: 'policy/idle', kind: 'idleness_unknown', says, detail });
  }
}

/** Notes that the last stop failed or was refused, before it is asked for again: once for each launch and reason. Must run in a transaction. */
export async function noteFailedStop(db: Queries, row: MemberRow): Promise<void> {
  const failed = await failedStop(db, row);
  if (!failed) return;
  const { taskId, reason, error } = failed;
  const since = row.launchedAt === null ? '' : `, which has been running since ${row.launchedAt.toISOString()},`;
  const how =
    reason === 'rejected' || reason === 'expired'
      ? `was not stopped, since nobody allowed it (${reason}); it is asked for again later`
      : `could not be stopped (${reason}); it is tried again`;
  const says = `${row.settings.name}${since} ${how}.`;
  await noteOnce(db, row, { by: 'policy/idle', kind: 'stop_failed', says, detail: { task_id: taskId, error } });
}
