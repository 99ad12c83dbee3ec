// What is asked of jobs from outside: to end, to make a checkpoint, to give way to a stop. A mark each, with who asked first.
import { and, eq, gt, inArray, isNull, ne, notExists, notInArray, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { ENDED, LAUNCHED } from '../domain/job.ts';
import { isTerminal, TASK_STATUSES } from '../domain/task.ts';
import { noteJob } from './jobs.ts';
import { jobs } from './job-schema.ts';
import { leases, tasks } from './schema.ts';

const OVER = TASK_STATUSES.filter(isTerminal);

/** Asks a job to end. False when it has ended. */
export async function callToCancel(db: Queries, tenant: string, id: string, by: string): Promise<boolean> {
  const [row] = await db
    .update(jobs)
    .set({
      cancelRequestedBy: sql`coalesce(${jobs.cancelRequestedBy}, ${by})`,
      cancelRequestedAt: sql`coalesce(${jobs.cancelRequestedAt}, clock_timestamp())`,
      calledAt: sql`clock_timestamp()`,
    })
    .where(and(eq(jobs.id, id), eq(jobs.tenant, tenant), notInArray(jobs.state, [...ENDED])))
    .returning();
  if (!row) return false;
  if (row.cancelRequestedBy === by) await noteJob(db, row, { by, says: `${by} asked it to end.` });
  return true;
}

/** Asks a running job for a checkpoint. False when it does not run. */
export async function callForCheckpoint(db: Queries, tenant: string, id: string, by: string): Promise<boolean> {
  const [row] = await db
    .update(jobs)
    .set({
      checkpointRequestedBy: by,
      checkpointRequestedAt: sql`clock_timestamp()`,
      calledAt: sql`clock_timestamp()`,
    })
    .where(and(eq(jobs.id, id), eq(jobs.tenant, tenant), inArray(jobs.state, [...LAUNCHED])))
    .returning();
  if (row) await noteJob(db, row, { by, says: `${by} asked it for a checkpoint.` });
  return row !== undefined;
}

/**
 * Takes its lease from a job that runs, for the stop of a task. Must run in a transaction. False when it does not run, or
 * gave way to another one that has not ended.
 */
export async function giveWay(db: Queries, id: string, taskId: string, says: string): Promise<boolean> {
  const another = db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(eq(tasks.id, jobs.yieldedTo), ne(tasks.id, taskId), notInArray(tasks.status, [...OVER])));
  const [row] = await db
    .update(jobs)
    .set({ yieldedTo: taskId, calledAt: sql`clock_timestamp()` })
    .where(and(eq(jobs.id, id), inArray(jobs.state, [...LAUNCHED]), notExists(another)))
    .returning();
  if (!row) return false;
  await db.delete(leases).where(eq(leases.holder, id));
  await noteJob(db, row, { says, detail: { task_id: taskId } });
  return true;
}

/** Which of these jobs were asked for something since they were last looked at. */
export async function calledJobs(db: Queries, ids: readonly string[]): Promise<string[]> {
  const rows = await db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(inArray(jobs.id, [...ids]), or(isNull(jobs.lookedAt), gt(jobs.calledAt, jobs.lookedAt))));
  return rows.map(({ id }) => id);
}
