// Queries on members: register, find by id or name, list, change, remove, and what was observed of them.
import { and, asc, eq, getTableColumns, gt, inArray, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { isDuplicate } from '../clients/postgres.ts';
import type { MemberSettings } from '../domain/member.ts';
import { isMemberId, memberTarget, nameKey } from '../domain/member.ts';
import { unstorable } from '../domain/text.ts';
import { clock } from './clock.ts';
import { machineTime, members, readyRuns } from './member-schema.ts';

export type MemberRow = typeof members.$inferSelect;

export interface NewMember {
  readonly id: string;
  readonly tenant: string;
  readonly by: string;
  readonly settings: MemberSettings;
}

/** Which of the two things that must be unique is taken. */
export type Taken = 'name' | 'instance';

/** Registers a member. Returns what is taken instead when its name or its instance belongs to another one. */
export async function insertMember(
  db: Queries,
  { id, tenant, by, settings }: NewMember,
): Promise<MemberRow | { readonly taken: Taken; readonly by: string }> {
  const target = memberTarget(id, settings.cloud);
  const [row] = await db
    .insert(members)
    .values({
      id,
      tenant,
      nameKey: nameKey(settings.name),
      target,
      instanceId: settings.cloud?.instanceId ?? null,
      settings,
      registeredBy: by,
      registeredAt: sql`clock_timestamp()`,
      updatedAt: sql`clock_timestamp()`,
      ...(settings.hostKey !== null && { hostKeys: [settings.hostKey], hostKeySource: 'given' as const }),
    })
    .onConflictDoNothing()
    .returning();
  if (row) return row;
  return takenBy(db, tenant, settings, target, id);
}

async function takenBy(db: Queries, tenant: string, settings: MemberSettings, target: string, self: string) {
  const instanceId = settings.cloud?.instanceId ?? null;
  const own = or(
    eq(members.nameKey, nameKey(settings.name)),
    instanceId === null ? undefined : eq(members.instanceId, instanceId),
  );
  const [other] = await db
    .select()
    .from(members)
    .where(and(sql`${members.id} <> ${self}`, or(eq(members.target, target), and(eq(members.tenant, tenant), own))))
    .limit(1);
  // Another tenant's member is nobody's business but that it exists.
  const by = other && other.tenant === tenant ? nameAndRegionOf(other) : 'another member';
  const sameInstance = other !== undefined && other.instanceId !== null && other.instanceId === instanceId;
  return { taken: sameInstance || other?.target === target ? ('instance' as const) : ('name' as const), by };
}

/** The name of a member, and where it says that its instance is: the region may be what is wrong with it. */
export function nameAndRegionOf({ settings: { name, cloud } }: MemberRow): string {
  return cloud ? `${name} in ${cloud.region}` : name;
}

/** A member of this tenant by id or by name, with PostgreSQL's clock. */
export async function findMember(
  db: Queries,
  tenant: string,
  ref: string,
): Promise<(MemberRow & { readonly now: Date }) | undefined> {
  // PostgreSQL would refuse the query instead of finding nothing.
  if (unstorable(ref)) return undefined;
  const [row] = await db
    .select({ ...getTableColumns(members), now: clock })
    .from(members)
    .where(and(eq(members.tenant, tenant), isMemberId(ref) ? eq(members.id, ref) : eq(members.nameKey, nameKey(ref))));
  return row;
}

/** A member by its id, whoever's it is: for activities, which are handed ids by workflows. */
export async function memberById(db: Queries, id: string): Promise<MemberRow | undefined> {
  const [row] = await db.select().from(members).where(eq(members.id, id));
  return row;
}

/** The members that these targets belong to, whoever's they are: an instance is one, whoever acts on it. */
export async function membersOnTargets(db: Queries, targets: readonly string[]): Promise<MemberRow[]> {
  if (targets.length === 0) return [];
  return db
    .select()
    .from(members)
    .where(inArray(members.target, [...targets]));
}

/** The member that an instance is registered as; of the two that an older release let it be, the one that kept its id. */
export async function memberOnInstance(
  db: Queries,
  tenant: string,
  instanceId: string,
): Promise<MemberRow | undefined> {
  const [row] = await db
    .select()
    .from(members)
    .where(and(eq(members.tenant, tenant), sql`${members.settings}->'cloud'->>'instanceId' = ${instanceId}`))
    .orderBy(sql`${members.instanceId} asc nulls last`, asc(members.registeredAt))
    .limit(1);
  return row;
}

/** True when an instance is a guarded member, whoever's it is: who acts on it waits for a decision. */
export async function isGuardedInstance(db: Queries, instanceId: string): Promise<boolean> {
  const [row] = await db
    .select({ id: members.id })
    .from(members)
    .where(
      and(
        sql`${members.settings}->'cloud'->>'instanceId' = ${instanceId}`,
        sql`${members.settings}->'guarded' = 'true'::jsonb`,
      ),
    )
    .limit(1);
  return row !== undefined;
}

/** A page of a tenant's members by name. */
export async function listMembers(
  db: Queries,
  tenant: string,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Promise<{ readonly rows: MemberRow[]; readonly more: boolean }> {
  const rows = await db
    .select()
    .from(members)
    .where(and(eq(members.tenant, tenant), after === undefined ? undefined : gt(members.nameKey, after)))
    .orderBy(asc(members.nameKey))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), more: rows.length > limit };
}

/**
 * Replaces the settings of a member that has not changed since it was read; what is taken instead, or undefined when it
 * has. Must run in a transaction, which is to be given up unless it answers with a member.
 */
export async function updateMember(
  db: Queries,
  row: MemberRow,
  settings: MemberSettings,
): Promise<MemberRow | { readonly taken: Taken; readonly by: string } | undefined> {
  const clash = await db
    .select({ id: members.id })
    .from(members)
    .where(
      and(eq(members.tenant, row.tenant), eq(members.nameKey, nameKey(settings.name)), sql`${members.id} <> ${row.id}`),
    );
  if (clash.length > 0) return { taken: 'name', by: settings.name };
  const rekeyed = settings.hostKey !== row.settings.hostKey;
  const update = db
    .update(members)
    .set({
      settings,
      nameKey: nameKey(settings.name),
      updatedAt: sql`clock_timestamp()`,
      readyAt: null,
      // It may be looked for elsewhere now.
      disksDueAt: sql`clock_timestamp()`,
      ...(rekeyed && {
        hostKeys: settings.hostKey === null ? [] : [settings.hostKey],
        hostKeySource: settings.hostKey === null ? null : ('given' as const),
      }),
    })
    .where(and(eq(members.id, row.id), eq(members.updatedAt, row.updatedAt)))
    .returning();
  try {
    return (await update)[0];
  } catch (error) {
    // Somebody took it between the two queries.
    if (isDuplicate(error)) return { taken: 'name', by: settings.name };
    throw error;
  }
}

/** Removes a member and what belongs to it alone; its events and its cost stay. */
export async function deleteMember(db: Queries, id: string): Promise<boolean> {
  await db.delete(readyRuns).where(eq(readyRuns.memberId, id));
  await db
    .update(machineTime)
    .set({ toAt: sql`clock_timestamp()` })
    .where(and(eq(machineTime.memberId, id), sql`${machineTime.toAt} is null`));
  const gone = await db.delete(members).where(eq(members.id, id)).returning({ id: members.id });
  return gone.length > 0;
}
