// Leases as rows: taken all or none inside the transaction of the event that needs them, given back in the last one's.
import { eq, inArray, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { LeaseWish } from '../domain/lease.ts';
import { inTheWay } from '../domain/lease.ts';
import { leases } from './schema.ts';

export interface LeaseHolder {
  /** Workflow id. */
  readonly holder: string;
  /** First execution run id. */
  readonly runId: string;
  readonly now: Date;
}

export type LeaseRow = typeof leases.$inferSelect;

/**
 * Takes every lease of the wish or none. Must run in a transaction. Returns the holder that is in the way, if any.
 * Targets are locked in sorted order, so that two tasks that want the same ones never wait for each other.
 */
export async function takeLeases(
  db: Queries,
  wishes: readonly LeaseWish[],
  { holder, runId, now }: LeaseHolder,
): Promise<string | undefined> {
  if (wishes.length === 0) return undefined;
  const targets = wishes.map(({ target }) => target).sort();
  for (const target of targets) {
    await db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${target}, 0))`);
  }
  const held = await leasesOn(db, targets);
  const blocking = wishes.flatMap((wish) => inTheWay(wish, holder, held))[0];
  if (blocking) return blocking.holder;
  await db
    .insert(leases)
    .values(wishes.map(({ target, mode }) => ({ target, mode, holder, holderRunId: runId, takenAt: now })))
    .onConflictDoNothing();
  return undefined;
}

/** Makes a shared lease exclusive where nobody else has one: whoever asks from now on waits. Must run in a transaction. */
export async function raiseLease(db: Queries, target: string, holder: string): Promise<void> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${target}, 0))`);
  await db.execute(sql`
    update leases l set mode = 'exclusive'
    where l.target = ${target} and l.holder = ${holder}
      and not exists (select 1 from leases o where o.target = ${target} and o.holder <> ${holder})`);
}

/** The leases on these targets, oldest first. */
export async function leasesOn(db: Queries, targets: readonly string[]): Promise<LeaseRow[]> {
  return db
    .select()
    .from(leases)
    .where(inArray(leases.target, [...targets]))
    .orderBy(leases.fence);
}

/** Gives back all that a workflow holds: what it used was in use until now, what it changed is to be made ready again. */
export async function releaseLeases(db: Queries, holder: string): Promise<void> {
  await db.execute(sql`
    with gone as (delete from ${leases} where ${leases.holder} = ${holder} returning target, mode)
    update members m set
      last_use_at = case gone.mode when 'shared' then clock_timestamp() else m.last_use_at end,
      ready_at = case gone.mode when 'shared' then m.ready_at end
    from gone where m.target = gone.target`);
}

/** Gives back all that a workflow holds and did not use. */
export async function dropLeases(db: Queries, holder: string): Promise<void> {
  await db.delete(leases).where(eq(leases.holder, holder));
}
