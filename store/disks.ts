// Queries on the disks of members' machines: whose are to be looked at, what was seen, and what there is of them in all.
import { and, asc, count, eq, inArray, isNotNull, lte, min, ne, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { Disk } from '../domain/disks.ts';
import type { MemberRow } from './members.ts';
import { members } from './member-schema.ts';

/** Only for a member whose instance was seen in the cloud and is not gone: of another nobody can tell its disks. */
const isThere = and(isNotNull(members.state), ne(members.state, 'terminated'));

/** The disks of a tenant's machines, how many machines have the same, and when the oldest look was; null for not yet. */
export async function disksOfTenant(db: Queries, tenant: string) {
  return db
    .select({ disks: members.disks, count: count(), seenAt: min(members.disksSeenAt) })
    .from(members)
    .where(and(eq(members.tenant, tenant), isThere))
    .groupBy(members.disks);
}

/** Members whose disks are to be looked at, those first that wait longest. */
export async function membersDueForDisks(db: Queries, limit: number): Promise<MemberRow[]> {
  return db
    .select()
    .from(members)
    .where(and(lte(members.disksDueAt, sql`clock_timestamp()`), isThere))
    .orderBy(asc(members.disksDueAt))
    .limit(limit);
}

/** Has the disks of these looked at after a while, and not before. */
export async function putOffDisks(db: Queries, ids: readonly string[], ms: number): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(members)
    .set({ disksDueAt: sql`clock_timestamp() + ${`${ms} milliseconds`}::interval` })
    .where(inArray(members.id, [...ids]));
}

/**
 * Keeps what was just seen, of all of them in one statement, until it is looked at again after a while. One whose
 * instance went away during the look keeps nothing.
 */
export async function keepDisks(
  db: Queries,
  seen: readonly { readonly id: string; readonly disks: readonly Disk[] }[],
  againMs: number,
): Promise<void> {
  if (seen.length === 0) return;
  await db.execute(sql`
    update members set disks = looked.disks, disks_seen_at = clock_timestamp(),
      disks_due_at = clock_timestamp() + ${`${againMs} milliseconds`}::interval
    from jsonb_to_recordset(${JSON.stringify(seen)}::jsonb) as looked (id text, disks jsonb)
    where members.id = looked.id and ${isThere}`);
}
