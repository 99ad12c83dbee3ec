// The compare-and-set of a transition: one transaction makes the event, the row it changes and the leases it moves.
import { and, eq, getTableColumns, sql } from 'drizzle-orm';
import type { Postgres, Queries } from '../clients/postgres.ts';
import type { EventDetail, EventWish, TaskEvent } from '../domain/event.ts';
import { Failure } from '../domain/failures.ts';
import { isLegal, isTerminal, workflowIdOf } from '../domain/task.ts';
import type { Terms } from '../domain/task.ts';
import { allStorable } from '../domain/text.ts';
import { clock } from './clock.ts';
import { findEvent } from './events.ts';
import { returnLeases } from './lease-returns.ts';
import { releaseLeases, takeLeases } from './leases.ts';
import { tasks } from './schema.ts';
import type { NewTask, TaskRow } from './tasks.ts';
import { registerTask } from './tasks.ts';

export interface Recording {
  readonly task: NewTask;
  /** Used for the first event only; later ones get the terms that were frozen then. */
  readonly terms: Terms;
  /** First execution run id of the workflow. */
  readonly runId: string;
  readonly seq: number;
  /** Null only looks whether the event exists already. */
  readonly wish: EventWish | null;
}

export type Recorded = {
  /** What stands in the log under that number; null when nothing was recorded. */
  readonly event: TaskEvent | null;
  readonly terms: Terms;
  /** PostgreSQL's clock, ISO. */
  readonly now: string;
  /** The holder in the way, when a lease was refused. */
  readonly waitsFor?: string;
  /** Who asked the task to stop, and whether undo was asked for. */
  readonly stop?: { readonly by: string; readonly undo: boolean };
};

/**
 * Records the event number `seq` of a task, in these promises:
 * 1. the first event committed for (task, seq) wins, and every later call gets that one back;
 * 2. the row, the event, the leases and the notice are one transaction;
 * 3. a decision is recorded only before its `validUntil` and, when it approves, before `approveBy`, by PostgreSQL's
 *    clock; an expiry only after `approveBy`;
 * 4. a task that somebody asked to stop is recorded as nothing but undoing and terminated;
 * 5. nothing in a wish can keep it from being recorded: what PostgreSQL cannot hold is left out;
 * 6. another run of the same workflow id gets `TaskIdReused`.
 */
export async function recordEvent(postgres: Postgres, asked: Recording): Promise<Recorded> {
  // Refused for a character that a machine printed, it would be tried for ever.
  const recording = { ...asked, wish: allStorable(asked.wish) };
  return (
    (await recordAtOnce(postgres.db, recording)) ??
    postgres.transaction(async (db) => {
      const { task, seq } = recording;
      const found = (await lock(db, task.id)) ?? (seq === 1 ? await register(db, task) : undefined);
      if (!found) throw new Failure('TaskNotFound', { id: task.id });
      const recorded = await recordOn(db, recording, found);
      if (!recorded) throw new Error(`task ${task.id}: its row changed under its lock`);
      return recorded;
    })
  );
}

/**
 * The same without a lock, for most events, at less than half the cost: the row is read, and written only if nobody
 * has touched it since. Undefined when somebody has, and for what has to be judged or changed under a lock: decisions,
 * leases, and a row that is still missing.
 */
async function recordAtOnce(db: Queries, recording: Recording): Promise<Recorded | undefined> {
  const { task, wish } = recording;
  if (wish?.decision || (wish?.leases ?? []).length > 0) return undefined;
  const [found] = await db
    .select({ ...getTableColumns(tasks), now: clock, version: sql<string>`${tasks}.xmin::text` })
    .from(tasks)
    .where(eq(tasks.id, task.id));
  if (!found) return undefined;
  const { now, version, ...row } = found;
  // A change gives back its leases with its last event.
  if (wish && isTerminal(wish.to) && row.effect !== 'read') return undefined;
  return recordOn(db, recording, { row, now, version });
}

interface Found {
  readonly row: TaskRow;
  /** PostgreSQL's clock. */
  readonly now: Date;
  /** The version of the row that was read, where it is not locked. */
  readonly version?: string;
}

/** Undefined when the row was not locked and has changed since it was read. */
async function recordOn(db: Queries, recording: Recording, found: Found): Promise<Recorded | undefined> {
  const { task, runId, seq, wish } = recording;
  const { row, now } = found;
  if (row.firstRunId !== null && row.firstRunId !== runId) throw new Failure('TaskIdReused', { id: task.id });

  const terms = row.terms ?? recording.terms;
  const base = {
    terms,
    now: now.toISOString(),
    ...(row.stopRequestedBy === null ? {} : { stop: { by: row.stopRequestedBy, undo: row.undoRequested } }),
  };
  if (seq <= row.lastSeq) return { ...base, event: await findEvent(db, task.id, seq) };
  if (!wish || !isDue(wish, row, now)) return { ...base, event: null };

  const refused = await takeLeases(db, wish.leases ?? [], { holder: workflowIdOf(task.id), runId, now });
  if (refused !== undefined && wish.whenBusy !== 'wait') return { ...base, event: null, waitsFor: refused };
  const event = eventOf(recording, row, terms, now, refused);
  if (!(await write(db, event, found, { runId, terms, wish }))) return undefined;
  // A read never takes any.
  if (isTerminal(event.to) && terms.effect !== 'read') {
    await releaseLeases(db, workflowIdOf(task.id));
    if (event.to !== 'COMPLETED') await returnLeases(db, task.id);
  }
  return { ...base, event, ...(refused === undefined ? {} : { waitsFor: refused }) };
}

/** The row, which nobody else changes until this transaction ends, and PostgreSQL's clock. */
async function lock(db: Queries, id: string): Promise<{ readonly row: TaskRow; readonly now: Date } | undefined> {
  const [found] = await db.select({ row: tasks, now: clock }).from(tasks).where(eq(tasks.id, id)).for('update');
  return found;
}

/** The door has normally registered a task before its workflow records anything. */
async function register(db: Queries, task: NewTask) {
  await registerTask(db, task);
  return lock(db, task.id);
}

function isDue(wish: EventWish, row: TaskRow, now: Date): boolean {
  const { decision } = wish;
  // Who asked for a stop was told that it stops: the only way on leads to TERMINATED, or to a workflow that was lost.
  const stopping = wish.to === 'TERMINATED' || wish.phase === 'undoing' || wish.reason === 'lost';
  if (row.stopRequestedAt !== null && row.lastSeq > 0 && !stopping) return false;
  if (decision) {
    if (decision.validUntil !== undefined && now > new Date(decision.validUntil)) return false;
    return row.approveBy === null || now <= row.approveBy;
  }
  if (wish.reason === 'expired') {
    return row.status === 'AWAITING_CONFIRMATION' ? row.approveBy === null || now > row.approveBy : !row.acknowledged;
  }
  return true;
}

function eventOf(
  { task, seq, wish }: Recording,
  row: TaskRow,
  terms: Terms,
  now: Date,
  waitsFor: string | undefined,
): TaskEvent {
  if (!wish) throw new Error('an event needs a wish');
  // A read that nobody has to decide on is running from its first event on.
  const read = seq === 1 && terms.effect === 'read' && terms.risk === 'safe';
  const to = read ? 'RUNNING' : wish.to;
  const from = seq === 1 ? null : row.status;
  if (from !== null && !isLegal(from, to)) throw new Error(`task ${task.id}: ${from} cannot become ${to}`);
  const approveBy =
    to === 'AWAITING_CONFIRMATION' ? new Date(now.getTime() + terms.confirmMs).toISOString() : undefined;
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
    at: now.toISOString(),
    by: wish.by ?? (wish.reason === 'cancelled' ? (row.stopRequestedBy ?? 'temporal') : 'fermata'),
    from,
    to,
    phase: read ? 'reading' : waitsFor === undefined ? wish.phase : 'waiting_for_lease',
    reason: wish.reason ?? null,
    detail,
  };
}

/** Writes event and row in one statement, or neither when the row is no longer the one that was found: then false. */
async function write(
  db: Queries,
  event: TaskEvent,
  { row, now, version }: Found,
  { runId, terms, wish }: { runId: string; terms: Terms; wish: EventWish },
): Promise<boolean> {
  const { taskId, tenant, seq, by, from, to, phase, reason, detail } = event;
  const { plan, decision, outcomes, error, approveBy } = detail;
  const attempts = outcomes ? Math.max(0, ...outcomes.map((outcome) => outcome.attempts)) : wish.attempts;
  const changed = db
    .update(tasks)
    .set({
      status: to,
      phase,
      reason,
      lastSeq: seq,
      updatedAt: now,
      ...(seq === 1 && { firstRunId: runId, terms, risk: terms.risk, effect: terms.effect }),
      ...(plan && { plan, planDigest: plan.digest }),
      ...(decision && { decidedBy: decision.by, approved: decision.approve }),
      ...(attempts !== undefined && { attempts }),
      ...(wish.result && { result: wish.result }),
      ...(error !== undefined && { error }),
      ...(approveBy !== undefined && { approveBy: new Date(approveBy) }),
    })
    .where(
      and(
        eq(tasks.id, taskId),
        eq(tasks.lastSeq, row.lastSeq),
        version === undefined ? undefined : sql`${tasks}.xmin = ${version}::xid`,
      ),
    )
    .returning({ id: tasks.id });
  const { rowCount } = await db.execute(sql`
    with changed as ${changed}
    insert into events (tenant, task_id, seq, at, by, from_status, to_status, phase, reason, detail)
    select ${tenant}, id, ${seq}::int, ${now.toISOString()}::timestamptz, ${by}, ${from}, ${to}, ${phase}, ${reason},
           ${JSON.stringify(detail)}::jsonb
    from changed`);
  return rowCount === 1;
}
