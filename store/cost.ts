// Queries on money: sessions that go on, billed time by price, and the right to stop a machine for its cost.
import { and, asc, eq, gt, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { SHORTEST_BILLED_MS, isBilled } from '../domain/cost.ts';
import type { PricedTime } from '../domain/cost.ts';
import { INSTANCE_STATES } from '../domain/instance.ts';
import type { MemberRow } from './members.ts';
import { machineTime, members } from './member-schema.ts';

/** The states that are billed, as the domain has it. */
const BILLED = INSTANCE_STATES.filter((state) => isBilled({ state }));
/** More machines than this no tenant is expected to have. */
const MEMBERS_A_TENANT = 20_000;
const STRETCHES_A_TASK = 1_000;

/** What a member's machine does now, as the ledger has it. */
export type SessionRow = Awaited<ReturnType<typeof sessionsOf>>[number];

/** One row for each member of a tenant, or for one of them; all but the id is null where nothing was seen of it. */
export async function sessionsOf(db: Queries, tenant: string, memberId?: string) {
  return db
    .select({
      id: members.id,
      launchedAt: members.launchedAt,
      instanceType: machineTime.instanceType,
      state: machineTime.state,
      seenAt: machineTime.fromAt,
      usdPerHour: machineTime.usdPerHour,
    })
    .from(members)
    .leftJoin(machineTime, and(eq(machineTime.memberId, members.id), isNull(machineTime.toAt)))
    .where(and(eq(members.tenant, tenant), memberId === undefined ? undefined : eq(members.id, memberId)))
    .limit(MEMBERS_A_TENANT);
}

/** Billed time of a member at one price, ms; the price is null where none was known then. */
export type BilledRow = {
  readonly memberId: string;
  readonly instanceType: string;
  readonly usdPerHour: number | null;
  readonly ms: number;
};

/** Whose time is counted: these members', or that of all members of a tenant, also of those removed since. */
export type Whose = { readonly ids: readonly string[] } | { readonly tenant: string };

/**
 * Billed time since a moment (ISO), by member and price; null for all of it, also what a machine ran before it was
 * registered, which no budget is charged for. A start counts for the shortest time that is billed.
 */
export async function billedTime(db: Queries, whose: Whose, since: string | null): Promise<BilledRow[]> {
  const from = since === null ? sql`'-infinity'::timestamptz` : sql`${since}::timestamptz`;
  const billed = sql.join(
    BILLED.map((state) => sql`${state}`),
    sql`, `,
  );
  // Stretches of a member follow one another, so the last that began before is the first that can reach into the span.
  const { rows } = await db.execute<BilledRow>(sql`
    with counted as materialized (
      select id, ${since === null ? from : sql`greatest(${from}, registered_at)`} as since
      from (${countedOf(whose, from)}) as whose(id, registered_at))
    select t.member_id as "memberId", t.instance_type as "instanceType", t.usd_per_hour as "usdPerHour",
      sum(greatest(
        extract(epoch from coalesce(t.to_at, clock_timestamp()) - greatest(t.from_at, since)) * 1000,
        case when t.from_at >= since then ${SHORTEST_BILLED_MS}::int else 0 end))::float8 as "ms"
    from counted
    cross join lateral (
      select * from machine_time
      where member_id = counted.id and from_at >= coalesce(
        (select max(from_at) from machine_time former where former.member_id = counted.id and former.from_at < since),
        '-infinity')
    ) t
    where t.state in (${billed}) and (t.to_at is null or t.to_at > since)
    group by 1, 2, 3`);
  return rows;
}

/** Ids, and when each was registered: the first event of a member that was removed tells. */
function countedOf(whose: Whose, from: SQL): SQL {
  if ('ids' in whose) return sql`select id, registered_at from members where id = any(${sql.param(whose.ids)}::text[])`;
  const { tenant } = whose;
  return sql`
    select id, registered_at from members where tenant = ${tenant}
    union all
    select member_id, (select min(at) from member_events first where first.member_id = removed.member_id)
    from member_events removed where tenant = ${tenant} and kind = 'removed' and at > ${from}`;
}

/** The billed stretches of a member that lie between two moments (ISO) at least in part, in order. */
export async function billedBetween(
  db: Queries,
  memberId: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<(PricedTime & { readonly instanceType: string })[]> {
  const rows = await db
    .select()
    .from(machineTime)
    .where(
      and(
        eq(machineTime.memberId, memberId),
        inArray(machineTime.state, BILLED),
        lt(machineTime.fromAt, new Date(to)),
        or(isNull(machineTime.toAt), gt(machineTime.toAt, new Date(from))),
      ),
    )
    .orderBy(asc(machineTime.fromAt))
    .limit(STRETCHES_A_TASK);
  return rows.map(({ fromAt, toAt, usdPerHour, instanceType }) => ({
    from: fromAt.toISOString(),
    to: toAt?.toISOString() ?? null,
    usdPerHour,
    instanceType,
  }));
}

/** Since when the ledger has the member; null where it has nothing. */
export async function ledgerStart(db: Queries, memberId: string): Promise<Date | null> {
  const [first] = await db
    .select({ at: machineTime.fromAt })
    .from(machineTime)
    .where(eq(machineTime.memberId, memberId))
    .orderBy(asc(machineTime.fromAt))
    .limit(1);
  return first?.at ?? null;
}

/** The tenants that have members. */
export async function tenantsWithMembers(db: Queries): Promise<string[]> {
  const rows = await db.select({ tenant: members.tenant }).from(members).groupBy(members.tenant).limit(1_000);
  return rows.map(({ tenant }) => tenant);
}

/** Names the task that is to stop a member; false when a policy has named another one since the row was read. */
export async function claimStop(
  db: Queries,
  { id, stopTaskId }: Pick<MemberRow, 'id' | 'stopTaskId'>,
  taskId: string,
): Promise<boolean> {
  const claimed = await db
    .update(members)
    .set({ stopTaskId: taskId, stopAskedAt: sql`clock_timestamp()` })
    .where(and(eq(members.id, id), sql`${members.stopTaskId} is not distinct from ${stopTaskId}`))
    .returning({ id: members.id });
  return claimed.length > 0;
}
