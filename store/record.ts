// The compare-and-set of a transition: one transaction makes the event, the row it changes and the leases it moves.
import { and, eq, getTableColumns, isNull, sql } from 'drizzle-orm';
import type { Postgres, Queries } from '../clients/postgres.ts';
import type { EventWish, TaskEvent } from '../domain/event.ts';
import { Failure } from '../domain/failures.ts';
import { isTerminal, workflowIdOf } from '../domain/task.ts';
import type { Terms } from '../domain/task.ts';
import { allStorable } from '../domain/text.ts';
import { clock } from './clock.ts';
import { findEvent } from './events.ts';
import { returnLeases } from './lease-returns.ts';
import { releaseLeases, takeLeases } from './leases.ts';
import { tasks } from './schema.ts';
import type { NewTask, TaskRow } from './tasks.ts';
import { registerTask } from './tasks.ts';
import { wordsOf, writeEvent } from './write-event.ts';

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
    (await recordUnseen(postgres.db, recording)) ??
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
 * The two events of a safe read that goes well, in a statement each: what the row must be like is known, so nobody has
 * to look at it first. Undefined when the row is anything else.
 */
async function recordUnseen(db: Queries, { task, terms, runId, seq, wish }: Recording): Promise<Recorded | undefined> {
  const completes = seq === 2 && wish?.to === 'COMPLETED';
  if (!wish || terms.effect !== 'read' || terms.risk !== 'safe' || !(seq === 1 || completes)) return undefined;
  const { tenant = 'default' } = task.input;
  const where = and(
    eq(tasks.tenant, tenant),
    isNull(tasks.stopRequestedAt),
    eq(tasks.lastSeq, seq - 1),
    seq === 1 ? isNull(tasks.firstRunId) : eq(tasks.firstRunId, runId),
    seq === 1 ? isNull(tasks.terms) : eq(tasks.terms, terms),
    eq(tasks.status, seq === 1 ? 'PENDING' : 'RUNNING'),
  );
  const row = { tenant, status: 'RUNNING' as const, stopRequestedBy: null };
  const event = await writeEvent(db, wordsOf({ task, seq, wish, terms, row }), { wish, terms, runId, where });
  return event && { event, terms, now: event.at };
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
  const { row, now, version } = found;
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
  const words = wordsOf({ task, seq, wish, terms, row, now, ...(refused !== undefined && { waitsFor: refused }) });
  const asFound = version === undefined ? undefined : sql`${tasks}.xmin = ${version}::xid`;
  const where = and(eq(tasks.lastSeq, row.lastSeq), asFound);
  const event = await writeEvent(db, words, { wish, terms, runId, where, now });
  if (!event) return undefined;
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
