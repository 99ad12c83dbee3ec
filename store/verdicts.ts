// Queries of the idle sweep: members that are due, what was judged of each, and the verdicts that are kept.
import { and, asc, desc, eq, inArray, lt, lte, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { Judgement } from '../domain/idle.ts';
import type { JsonObject, TaskReason } from '../domain/task.ts';
import { isTerminal } from '../domain/task.ts';
import type { PastPage } from './member-events.ts';
import type { MemberRow } from './members.ts';
import { members, verdicts } from './member-schema.ts';
import { tasks } from './schema.ts';

export type VerdictRow = typeof verdicts.$inferSelect;

/** Cloud members, those first that are due longest. */
export async function dueMembers(db: Queries, limit: number): Promise<MemberRow[]> {
  return db
    .select()
    .from(members)
    .where(and(sql`${members.settings}->'cloud' <> 'null'::jsonb`, lte(members.probeDueAt, sql`clock_timestamp()`)))
    .orderBy(asc(members.probeDueAt))
    .limit(limit);
}

/** Puts off the next look at these. */
export async function postpone(db: Queries, ids: readonly string[], ms: number): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(members)
    .set({ probeDueAt: sql`clock_timestamp() + ${`${Math.round(ms)} milliseconds`}::interval` })
    .where(inArray(members.id, [...ids]));
}

/** A machine that does not run has no idle time. */
export async function forgetClocks(db: Queries, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(members)
    .set({ clocks: null, idleSince: null, stopAt: null, gpuPercent: null })
    .where(inArray(members.id, [...ids]));
}

/**
 * Keeps a judgement with all that went into it, and what the rule has to remember; false, and nothing is kept, when the
 * member was judged since `member` was read, because that judgement went on from the same clocks. Must run in a transaction.
 */
export async function keepJudgement(
  db: Queries,
  member: MemberRow,
  {
    judgement,
    inputs,
    at,
    gpuPercent,
    stopTaskId,
  }: {
    readonly judgement: Judgement;
    readonly inputs: JsonObject;
    readonly at: Date;
    readonly gpuPercent: number | null;
    readonly stopTaskId: string | null;
  },
): Promise<boolean> {
  const { verdict, next, reasons, clocks, idleSince, stopAt } = judgement;
  const kept = await db
    .update(members)
    .set({
      clocks,
      idleSince: idleSince === null ? null : new Date(idleSince),
      stopAt: stopAt === null ? null : new Date(stopAt),
      gpuPercent,
      probedAt: at,
      ...(stopTaskId !== null && { stopTaskId, stopAskedAt: at }),
    })
    .where(and(eq(members.id, member.id), sql`${members.probedAt} is not distinct from ${member.probedAt}`))
    .returning({ id: members.id });
  if (kept.length === 0) return false;
  await db.insert(verdicts).values({ memberId: member.id, at, verdict, next, reasons, inputs });
  return true;
}

/**
 * True while the task by which a policy last set about stopping the member has not ended, and for `pauseMs` after one that
 * failed or was refused: what cannot be stopped now, and what a person said no to, is not asked for each minute.
 */
export async function isBeingStopped(db: Queries, row: MemberRow, pauseMs: number): Promise<boolean> {
  const { stopTaskId, stopAskedAt } = row;
  if (stopTaskId === null) return false;
  const [task] = await db.select({ status: tasks.status }).from(tasks).where(eq(tasks.id, stopTaskId));
  if (!task) return stopAskedAt !== null && Date.now() - stopAskedAt.getTime() < STARTS_WITHIN_MS;
  if (!isTerminal(task.status)) return true;
  const failed = await failedStop(db, row);
  return failed !== undefined && Date.now() - failed.at.getTime() < pauseMs;
}

/** A task that was named and is not to be seen after this was never started. */
const STARTS_WITHIN_MS = 60_000;

/** How long a stop that failed or was refused is not asked for again, before any scale of time. */
export const FAILED_STOP_PAUSE_MS = 15 * 60_000;

/** Ends of a stop that say nothing about the next one: the machine was used. */
const WENT_AWAY: readonly (TaskReason | null)[] = ['superseded', 'conflict', 'cancelled'];

export interface FailedStop {
  readonly taskId: string;
  readonly reason: string;
  readonly error: string | null;
  /** When it ended. */
  readonly at: Date;
}

/** How the task by which a policy last set about stopping the member failed or was refused; undefined when it was not. */
export async function failedStop(db: Queries, { stopTaskId: taskId }: MemberRow): Promise<FailedStop | undefined> {
  if (taskId === null) return undefined;
  const { status, reason, error, updatedAt: at } = tasks;
  const [task] = await db.select({ status, reason, error, at }).from(tasks).where(eq(tasks.id, taskId));
  if (task?.status !== 'FAILED' || WENT_AWAY.includes(task.reason)) return undefined;
  return { taskId, reason: task.reason ?? 'failed', error: task.error, at: task.at };
}

/** The verdicts on a member, newest first; `more` tells whether there are older ones. */
export async function verdictsOf(
  db: Queries,
  memberId: string,
  { limit, before }: PastPage,
): Promise<{ readonly rows: VerdictRow[]; readonly more: boolean }> {
  const older = before === undefined ? undefined : lt(verdicts.id, before);
  const rows = await db
    .select()
    .from(verdicts)
    .where(and(eq(verdicts.memberId, memberId), older))
    .orderBy(desc(verdicts.id))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), more: rows.length > limit };
}

/** Drops verdicts that are older than they are kept, some thousand at a time. */
export async function dropOldVerdicts(db: Queries, olderThanMs: number): Promise<void> {
  await db.execute(sql`
    delete from verdicts where id in (
      select id from verdicts where at < clock_timestamp() - ${`${Math.round(olderThanMs)} milliseconds`}::interval
      order by id limit 5000)`);
}

/** Holds warnings and stops of a member for a while; what holds them longer stays. Returns when that is over. */
export async function snoozeMember(db: Queries, id: string, ms: number): Promise<Date> {
  const [row] = await db
    .update(members)
    .set({
      snoozedUntil: sql`greatest(${members.snoozedUntil}, clock_timestamp() + ${`${Math.round(ms)} milliseconds`}::interval)`,
    })
    .where(eq(members.id, id))
    .returning({ until: members.snoozedUntil });
  return row?.until ?? new Date();
}
