// Writing an event: its words, and the one statement that adds it to the log and changes the row with it.
import { and, eq, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { EventDetail, EventWish, TaskEvent } from '../domain/event.ts';
import type { Terms } from '../domain/task.ts';
import { isLegal } from '../domain/task.ts';
import { tasks } from './schema.ts';
import type { NewTask, TaskRow } from './tasks.ts';

type Words = Omit<TaskEvent, 'at'>;

interface Wording {
  readonly task: NewTask;
  readonly seq: number;
  readonly wish: EventWish;
  readonly terms: Terms;
  readonly row: Pick<TaskRow, 'tenant' | 'status' | 'stopRequestedBy'>;
  /** From when on somebody may decide; only an event that begins a wait needs it. */
  readonly now?: Date;
  /** The holder in the way, when a lease was refused. */
  readonly waitsFor?: string;
}

/** All of an event but its time. Throws when the change of status is none of the legal ones. */
export function wordsOf({ task, seq, wish, terms, row, now, waitsFor }: Wording): Words {
  // A read that nobody has to decide on is running from its first event on.
  const read = seq === 1 && terms.effect === 'read' && terms.risk === 'safe';
  const to = read ? 'RUNNING' : wish.to;
  const from = seq === 1 ? null : row.status;
  if (from !== null && !isLegal(from, to)) throw new Error(`task ${task.id}: ${from} cannot become ${to}`);
  const approveBy =
    to === 'AWAITING_CONFIRMATION' && now ? new Date(now.getTime() + terms.confirmMs).toISOString() : undefined;
  const detail: EventDetail = {
    says: wish.says,
    ...(wish.plan && { plan: wish.plan }),
    ...(wish.decision && { decision: wish.decision }),
    ...(wish.outcomes && { outcomes: wish.outcomes }),
    ...(wish.result && terms.effect !== 'read' && { result: wish.result }),
    ...(wish.error !== undefined && { error: wish.error }),
    ...(approveBy !== undefined && { approveBy }),
    ...(waitsFor !== undefined && { waitsFor }),
  };
  return {
    taskId: task.id,
    tenant: row.tenant,
    seq,
    by: wish.by ?? (wish.reason === 'cancelled' ? (row.stopRequestedBy ?? 'temporal') : 'fermata'),
    from,
    to,
    phase: read ? 'reading' : waitsFor === undefined ? wish.phase : 'waiting_for_lease',
    reason: wish.reason ?? null,
    detail,
  };
}

interface Writing {
  readonly wish: EventWish;
  readonly terms: Terms;
  readonly runId: string;
  /** What the row must still be like. */
  readonly where: SQL | undefined;
  /** PostgreSQL's clock, where it was read before; otherwise the statement reads it. */
  readonly now?: Date;
}

/** Writes event and row in one statement, or neither when the row is not as it must be: then undefined. */
export async function writeEvent(db: Queries, words: Words, writing: Writing): Promise<TaskEvent | undefined> {
  const { taskId, tenant, seq, by, from, to, phase, reason, detail } = words;
  const { wish, terms, runId, where, now } = writing;
  const { plan, decision, outcomes, error, approveBy } = detail;
  const attempts = outcomes ? Math.max(0, ...outcomes.map((outcome) => outcome.attempts)) : wish.attempts;
  const changed = db
    .update(tasks)
    .set({
      status: to,
      phase,
      reason,
      lastSeq: seq,
      updatedAt: now ?? sql`date_trunc('milliseconds', clock_timestamp())`,
      ...(seq === 1 && { firstRunId: runId, terms, risk: terms.risk, effect: terms.effect }),
      ...(plan && { plan, planDigest: plan.digest }),
      ...(decision && { decidedBy: decision.by, approved: decision.approve }),
      ...(attempts !== undefined && { attempts }),
      ...(wish.result && { result: wish.result }),
      ...(error !== undefined && { error }),
      ...(approveBy !== undefined && { approveBy: new Date(approveBy) }),
    })
    .where(and(eq(tasks.id, taskId), where))
    .returning({ id: tasks.id, at: tasks.updatedAt });
  const { rows } = await db.execute(sql`
    with changed as ${changed}
    insert into events (tenant, task_id, seq, at, by, from_status, to_status, phase, reason, detail)
    select ${tenant}, id, ${seq}::int, updated_at, ${by}, ${from}, ${to}, ${phase}, ${reason},
           ${JSON.stringify(detail)}::jsonb
    from changed
    returning extract(epoch from at) * 1000 as at_ms`);
  const [written] = rows;
  return written && { ...words, at: new Date(Math.round(Number(written['at_ms']))).toISOString() };
}
