// Queries on tasks: register, find, list, ask to stop.
import { and, asc, desc, eq, getTableColumns, inArray, lt, notInArray, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { Effect, Risk, TaskInput, TaskStatus } from '../domain/task.ts';
import { clock } from './clock.ts';
import { tasks } from './schema.ts';

export type TaskRow = typeof tasks.$inferSelect;

/** What a list shows, and its place in it; every further column costs a thousand conversions a page. */
const LISTED = {
  id: tasks.id,
  position: tasks.position,
  operation: tasks.operation,
  resource: tasks.resource,
  status: tasks.status,
  phase: tasks.phase,
  reason: tasks.reason,
  result: tasks.result,
  error: tasks.error,
  planDigest: tasks.planDigest,
  requestedBy: tasks.requestedBy,
  decidedBy: tasks.decidedBy,
  approveBy: tasks.approveBy,
  attempts: tasks.attempts,
  createdAt: tasks.createdAt,
  updatedAt: tasks.updatedAt,
};
export type TaskListRow = Pick<TaskRow, keyof typeof LISTED>;

const TERMINAL: TaskStatus[] = ['COMPLETED', 'TERMINATED', 'FAILED'];

export interface NewTask {
  readonly id: string;
  readonly input: TaskInput;
  readonly risk: Risk;
  readonly effect: Effect;
}

/** Registers a task; does nothing when it is registered already, by the door or by its own workflow. */
export async function registerTask(db: Queries, { id, input, risk, effect }: NewTask): Promise<void> {
  const now = input.submittedAt === undefined ? new Date() : new Date(input.submittedAt);
  await db
    .insert(tasks)
    .values({
      id,
      tenant: input.tenant ?? 'default',
      operation: input.operation,
      resource: input.resource,
      params: input.params,
      fingerprint: input.fingerprint ?? null,
      requestedBy: input.requestedBy ?? 'temporal',
      risk,
      effect,
      status: 'PENDING',
      phase: effect === 'read' && risk === 'safe' ? 'reading' : 'planning',
      createdAt: now,
      updatedAt: now,
    })
    .onConflictDoNothing();
}

/** The row of a task of this tenant, with PostgreSQL's clock; undefined when there is none. */
export async function findTask(
  db: Queries,
  tenant: string,
  id: string,
): Promise<{ readonly row: TaskRow; readonly now: Date } | undefined> {
  const [found] = await db
    .select({ ...getTableColumns(tasks), now: clock })
    .from(tasks)
    .where(and(eq(tasks.id, id), eq(tasks.tenant, tenant)));
  if (!found) return undefined;
  const { now, ...row } = found;
  return { row, now };
}

/** Reads a row, and PostgreSQL's clock, after every transaction that is changing it has ended. */
export async function findTaskSettled(
  db: Queries,
  tenant: string,
  id: string,
): Promise<(TaskRow & { readonly now: Date }) | undefined> {
  const [row] = await db
    .select({ ...getTableColumns(tasks), now: clock })
    .from(tasks)
    .where(and(eq(tasks.id, id), eq(tasks.tenant, tenant)))
    .for('share');
  return row;
}

/** Makes an approval count however late its workflow meets it; false when it was already given up. */
export async function acknowledgeDecision(db: Queries, id: string): Promise<boolean> {
  const marked = await db
    .update(tasks)
    .set({ acknowledged: true })
    .where(and(eq(tasks.id, id), sql`${tasks.reason} is distinct from 'expired'`))
    .returning({ id: tasks.id });
  return marked.length > 0;
}

export interface TaskPage {
  readonly limit: number;
  /** Only tasks registered before this position. */
  readonly before?: number;
  readonly status?: TaskStatus;
  readonly operation?: string;
}

/** What a page carries at most, bytes as stored: a thousand large results would be a hundred megabytes of JSON. */
const PAGE_BYTES = 8 * 1_048_576;

/**
 * The newest tasks in the order of their registration, oldest first; `more` tells whether there are older ones. A page
 * of large results ends early, but has at least one task.
 */
export async function listTasks(
  db: Queries,
  tenant: string,
  page: TaskPage,
): Promise<{ readonly rows: TaskListRow[]; readonly more: boolean }> {
  const newest = db
    .select({
      position: tasks.position,
      bytes: sql<number>`coalesce(pg_column_size(${tasks.result}), 0) + pg_column_size(${tasks.resource})`.as('bytes'),
    })
    .from(tasks)
    .where(
      and(
        eq(tasks.tenant, tenant),
        page.before === undefined ? undefined : lt(tasks.position, page.before),
        page.status === undefined ? undefined : eq(tasks.status, page.status),
        page.operation === undefined ? undefined : eq(tasks.operation, page.operation),
      ),
    )
    .orderBy(desc(tasks.position))
    .limit(page.limit + 1)
    .as('newest');
  const sized = db
    .select({
      position: newest.position,
      newer: sql<number>`sum(bytes) over (order by position desc) - bytes`.as('newer'),
      oldest: sql<number>`min(position) over ()`.mapWith(Number).as('oldest'),
    })
    .from(newest)
    .as('sized');
  const found = await db
    .select({ ...LISTED, oldest: sized.oldest })
    .from(sized)
    .innerJoin(tasks, and(eq(tasks.tenant, tenant), eq(tasks.position, sized.position)))
    .where(lt(sized.newer, PAGE_BYTES))
    .orderBy(desc(tasks.position))
    .limit(page.limit);
  const last = found.at(-1);
  const rows = found.map(({ oldest: _oldest, ...row }) => row).reverse();
  return { rows, more: last !== undefined && last.oldest < last.position };
}

/**
 * Marks a live task as to be stopped and says whether there was one. A first mark stays: the one who asked first is
 * the one the terminal event names.
 */
export async function requestStop(
  db: Queries,
  tenant: string,
  id: string,
  by: string,
  undo: boolean,
): Promise<boolean> {
  const marked = await db
    .update(tasks)
    .set({
      stopRequestedAt: sql`coalesce(${tasks.stopRequestedAt}, clock_timestamp())`,
      stopRequestedBy: sql`coalesce(${tasks.stopRequestedBy}, ${by})`,
      undoRequested: sql`${tasks.undoRequested} or ${undo}`,
    })
    .where(and(eq(tasks.id, id), eq(tasks.tenant, tenant), notInArray(tasks.status, TERMINAL)))
    .returning({ id: tasks.id });
  return marked.length > 0;
}

/**
 * Live tasks whose row has not changed for `quietMs`, those first that were looked at longest ago; each is marked as
 * looked at now, so that all of them get their turn.
 */
export async function takeQuietTasks(db: Queries, quietMs: number, limit: number): Promise<TaskRow[]> {
  const quiet = db
    .select({ id: tasks.id })
    .from(tasks)
    .where(
      and(
        inArray(tasks.status, ['PENDING', 'AWAITING_CONFIRMATION', 'RUNNING']),
        sql`${tasks.updatedAt} < clock_timestamp() - ${`${quietMs} milliseconds`}::interval`,
      ),
    )
    // Somebody waits for a stop that never arrived; everybody else can take their turn.
    .orderBy(sql`${tasks.stopRequestedAt} is null`, asc(tasks.checkedAt))
    .limit(limit);
  return db
    .update(tasks)
    .set({ checkedAt: sql`clock_timestamp()` })
    .where(inArray(tasks.id, quiet))
    .returning();
}

/** Status and time of the last change of these tasks. */
export async function statusOf(
  db: Queries,
  ids: readonly string[],
): Promise<{ readonly id: string; readonly status: TaskStatus; readonly updatedAt: Date }[]> {
  if (ids.length === 0) return [];
  return db
    .select({ id: tasks.id, status: tasks.status, updatedAt: tasks.updatedAt })
    .from(tasks)
    .where(inArray(tasks.id, [...ids]));
}

export type WaitingTask = Pick<TaskRow, 'id' | 'operation' | 'updatedAt'>;

/** The tasks that wait for a target, longest first. */
export async function tasksWaitingFor(db: Queries, target: string): Promise<WaitingTask[]> {
  return db
    .select({ id: tasks.id, operation: tasks.operation, updatedAt: tasks.updatedAt })
    .from(tasks)
    .where(
      and(
        eq(tasks.status, 'RUNNING'),
        eq(tasks.phase, 'waiting_for_lease'),
        // Making a member ready has no step, and needs the machine all the same.
        or(
          sql`${tasks.plan}->'steps' @> ${JSON.stringify([{ target }])}::jsonb`,
          sql`${tasks.plan}->'needs'->>'target' = ${target}`,
        ),
      ),
    )
    .orderBy(asc(tasks.updatedAt))
    .limit(100);
}
