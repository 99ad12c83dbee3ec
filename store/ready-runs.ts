// Queries on ready steps: what became of each when it last ran.
import { asc, eq } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { readyRuns } from './member-schema.ts';

export type ReadyRunRow = typeof readyRuns.$inferSelect;

/** The last run of each step of a member, by name. */
export async function readyRunsOf(db: Queries, memberId: string): Promise<ReadyRunRow[]> {
  return db.select().from(readyRuns).where(eq(readyRuns.memberId, memberId)).orderBy(asc(readyRuns.name));
}

/** Keeps the run of a step in place of the one before. */
export async function keepReadyRun(db: Queries, run: ReadyRunRow): Promise<void> {
  const { memberId: _member, name: _name, ...changed } = run;
  await db
    .insert(readyRuns)
    .values(run)
    .onConflictDoUpdate({ target: [readyRuns.memberId, readyRuns.name], set: changed });
}

/** When the first of a member's steps has to run again, ISO; null when only a boot makes them due. */
export async function earliestRenewal(db: Queries, memberId: string): Promise<string | null> {
  const due = (await readyRunsOf(db, memberId)).flatMap(({ renewAt }) => (renewAt ? [renewAt.toISOString()] : []));
  return due.sort()[0] ?? null;
}
