// Queries on ready steps: what became of each when it last ran.
import { and, asc, eq, inArray, min } from 'drizzle-orm';
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

/** The boot in which a step ran whose effect was taken back: it is due in every boot. */
export const UNDONE = '';

/** Notes that what a step brought was taken back: it is due again, and is not renewed. */
export async function markUndone(db: Queries, memberId: string, name: string): Promise<void> {
  await db
    .update(readyRuns)
    .set({ bootId: UNDONE, renewAt: null })
    .where(runsOf(memberId, [name]));
}

/** Drops what is known of steps that are gone. */
export async function dropReadyRuns(db: Queries, memberId: string, names: readonly string[]): Promise<void> {
  if (names.length > 0) await db.delete(readyRuns).where(runsOf(memberId, names));
}

/** When the first of these steps of a member has to run again, ISO; null when only a boot makes them due. */
export async function earliestRenewal(db: Queries, memberId: string, names: readonly string[]): Promise<string | null> {
  if (names.length === 0) return null;
  const [first] = await db
    .select({ at: min(readyRuns.renewAt) })
    .from(readyRuns)
    .where(runsOf(memberId, names));
  return first?.at?.toISOString() ?? null;
}

function runsOf(memberId: string, names: readonly string[]) {
  return and(eq(readyRuns.memberId, memberId), inArray(readyRuns.name, [...names]));
}
