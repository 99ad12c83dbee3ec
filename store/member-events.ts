// Queries on what happened to members: written once, never changed, read newest first.
import { and, desc, eq, inArray, lt, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { JsonObject } from '../domain/task.ts';
import { storable } from '../domain/text.ts';
import { memberEvents } from './member-schema.ts';
import type { MemberRow } from './members.ts';

export type MemberEventRow = typeof memberEvents.$inferSelect;

/** Notes something that happened to a member. */
export async function noteMember(
  db: Queries,
  member: Pick<MemberRow, 'id' | 'tenant'>,
  event: { readonly by: string; readonly kind: string; readonly says: string; readonly detail?: JsonObject },
): Promise<void> {
  const { by, kind, says, detail = {} } = event;
  await db
    .insert(memberEvents)
    .values({ tenant: member.tenant, memberId: member.id, at: sql`clock_timestamp()`, by, kind, says, detail });
}

/** Notes it unless the very same was the last of its kind: what goes on being so is said once. */
export async function noteOnce(
  db: Queries,
  member: Pick<MemberRow, 'id' | 'tenant'>,
  event: { readonly by: string; readonly kind: string; readonly says: string; readonly detail?: JsonObject },
): Promise<void> {
  const says = storable(event.says);
  const [last] = await db
    .select({ says: memberEvents.says })
    .from(memberEvents)
    .where(and(eq(memberEvents.memberId, member.id), eq(memberEvents.kind, event.kind)))
    .orderBy(desc(memberEvents.id))
    .limit(1);
  if (last?.says !== says) await noteMember(db, member, event);
}

/** A page of what happened to a member. */
export interface PastPage {
  readonly limit: number;
  /** Only rows before the one of this id. */
  readonly before?: number;
}

/**
 * The events of a member, newest first, with those of its machine from the time when that was nobody's; `more` tells
 * whether there are older ones.
 */
export async function eventsOfMember(
  db: Queries,
  { tenant, id, target }: Pick<MemberRow, 'tenant' | 'id' | 'target'>,
  { limit, before }: PastPage,
): Promise<{ readonly rows: MemberEventRow[]; readonly more: boolean }> {
  const rows = await db
    .select()
    .from(memberEvents)
    .where(
      and(
        inArray(memberEvents.memberId, [id, target]),
        eq(memberEvents.tenant, tenant),
        before === undefined ? undefined : lt(memberEvents.id, before),
      ),
    )
    .orderBy(desc(memberEvents.id))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), more: rows.length > limit };
}
