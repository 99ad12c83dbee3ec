// Queries on when members' instances were last seen: who was not looked at for a while, who was, and who is gone.
import { and, asc, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { CloudBlock } from '../domain/member.ts';
import type { MemberRow } from './members.ts';
import { machineTime, members } from './member-schema.ts';

const inCloud = sql`${members.settings}->'cloud' <> 'null'::jsonb`;
const PLACES = 50;

/** Where members' instances are. */
export type Place = Pick<CloudBlock, 'region' | 'profile'>;

/** The regions and profiles of all members. */
export async function placesOfMembers(db: Queries): Promise<Place[]> {
  return db
    .select({
      region: sql<string>`${members.settings}->'cloud'->>'region'`,
      profile: sql<string | null>`${members.settings}->'cloud'->>'profile'`,
    })
    .from(members)
    .where(inCloud)
    .groupBy(sql`1, 2`)
    .limit(PLACES);
}

/** Cloud members whose instance nobody has seen for so long and that is not known to be terminated, longest first. */
export async function unseenMembers(db: Queries, unseenMs: number, limit: number): Promise<MemberRow[]> {
  const before = sql`clock_timestamp() - ${`${unseenMs} milliseconds`}::interval`;
  return db
    .select()
    .from(members)
    .where(
      and(
        inCloud,
        or(isNull(members.state), sql`${members.state} <> 'terminated'`),
        lt(members.registeredAt, before),
        or(isNull(members.observedAt), lt(members.observedAt, before)),
      ),
    )
    .orderBy(sql`${members.observedAt} asc nulls first`)
    .limit(limit);
}

/** Members whose instance was last seen terminated. */
export async function terminatedMembers(db: Queries, limit: number): Promise<MemberRow[]> {
  return db
    .select()
    .from(members)
    .where(and(inCloud, eq(members.state, 'terminated')))
    .orderBy(asc(members.observedAt))
    .limit(limit);
}

/** Notes that the instances of these were seen just now, as they were. */
export async function markSeen(db: Queries, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(members)
    .set({ observedAt: sql`clock_timestamp()` })
    .where(inArray(members.id, [...ids]));
}

/**
 * Notes that the instance of a member is nowhere to be found: its state is no longer known, and it costs nothing since
 * it was last seen. Must run in a transaction.
 */
export async function markGone(db: Queries, id: string): Promise<void> {
  await db
    .update(machineTime)
    .set({
      toAt: sql`greatest(${machineTime.fromAt}, (select observed_at from members where id = ${id}))`,
    })
    .where(and(eq(machineTime.memberId, id), isNull(machineTime.toAt)));
  await db
    .update(members)
    .set({
      state: null,
      readyAt: null,
      clocks: null,
      idleSince: null,
      stopAt: null,
      gpuPercent: null,
      disks: null,
      disksSeenAt: null,
      disksDueAt: sql`clock_timestamp()`,
    })
    .where(eq(members.id, id));
}
