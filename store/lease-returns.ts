// Leases that come back: to jobs that gave way to a stop which did not come, and from holders that are dead.
import { and, asc, eq, inArray } from 'drizzle-orm';
import type { Postgres, Queries } from '../clients/postgres.ts';
import { LAUNCHED } from '../domain/job.ts';
import { taskIdOf } from '../domain/task.ts';
import { clock } from './clock.ts';
import { jobs } from './job-schema.ts';
import type { LeaseRow } from './leases.ts';
import { dropLeases, takeLeases } from './leases.ts';
import { members } from './member-schema.ts';
import { leases } from './schema.ts';

/**
 * Gives the jobs that gave way to a task their machine back, so that the next one that wants it alone finds them there
 * and asks for a proof of its own. The mark on them stays until a look shows that the machine was not stopped. Must run
 * in a transaction, after the task gave back its own leases.
 */
export async function returnLeases(db: Queries, taskId: string): Promise<void> {
  const running = inArray(jobs.state, [...LAUNCHED]);
  const rows = await db
    .select({ id: jobs.id, runId: jobs.runId, target: members.target, now: clock })
    .from(jobs)
    .innerJoin(members, eq(members.id, jobs.memberId))
    .where(and(eq(jobs.yieldedTo, taskId), running))
    .orderBy(asc(members.target));
  for (const { id, runId, target, now } of rows) {
    const refused = await takeLeases(db, [{ target, mode: 'shared' }], { holder: id, runId, now });
    if (refused !== undefined) continue;
    // One that ends at this moment gives nothing back any more.
    const [still] = await db
      .select({ id: jobs.id })
      .from(jobs)
      .where(and(eq(jobs.id, id), running))
      .for('update');
    if (!still) await dropLeases(db, id);
  }
}

/** Frees the very lease that a dead holder left: the fence tells it from one taken since. */
export async function freeLease(postgres: Postgres, { target, holder, fence }: LeaseRow): Promise<void> {
  await postgres.transaction(async (db) => {
    await db.delete(leases).where(and(eq(leases.target, target), eq(leases.holder, holder), eq(leases.fence, fence)));
    const taskId = taskIdOf(holder);
    if (taskId !== undefined) await returnLeases(db, taskId);
  });
}
