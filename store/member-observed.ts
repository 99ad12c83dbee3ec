// What is seen of a member by looking: its state and address, its host keys, that it is ready; and the ledger of its time.
import { and, eq, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { Instance } from '../domain/instance.ts';
import { ledgerTurn } from '../domain/ledger.ts';
import { machineTime, members } from './member-schema.ts';
import type { MemberRow } from './members.ts';

/** Pins host keys where none are; returns those that count, which are others when somebody else was first. */
export async function pinHostKeys(
  db: Queries,
  id: string,
  keys: readonly string[],
  source: 'console' | 'tofu',
): Promise<readonly string[]> {
  const pinned = await db
    .update(members)
    .set({ hostKeys: keys, hostKeySource: source })
    .where(and(eq(members.id, id), sql`${members.hostKeys} = '[]'::jsonb`))
    .returning({ id: members.id });
  if (pinned.length > 0) return keys;
  const [row] = await db.select({ hostKeys: members.hostKeys }).from(members).where(eq(members.id, id));
  return row?.hostKeys ?? [];
}

/** Marks a member as ready in this boot, with what is wrong with it all the same. */
export async function markMemberReady(db: Queries, id: string, bootId: string, note: string | null): Promise<void> {
  await db
    .update(members)
    .set({ readyBootId: bootId, readyAt: sql`clock_timestamp()`, readyNote: note })
    .where(eq(members.id, id));
}

/** What a look at the cloud showed of a member's instance; null when the instance is gone without a trace. */
export type Observed = Pick<Instance, 'state' | 'type' | 'launchTime' | 'publicIp' | 'privateIp'>;

/**
 * Keeps what was seen of a member's instance: state, address and, in the cost ledger, the transition. Must run in a
 * transaction. A machine that does not run, or was started since, is no longer ready.
 */
export async function observeMember(
  db: Queries,
  row: MemberRow,
  seen: Observed,
  usdPerHour: number | null,
): Promise<MemberRow> {
  const launchedAt = seen.launchTime === '' ? null : new Date(seen.launchTime);
  const address = row.settings.address === 'private' ? seen.privateIp : seen.publicIp;
  const moved = row.launchedAt?.getTime() !== launchedAt?.getTime() || seen.state !== 'running';
  const [changed] = await db
    .update(members)
    .set({
      state: seen.state,
      instanceType: seen.type,
      launchedAt,
      observedAt: sql`clock_timestamp()`,
      // The last one is kept while there is none, for people to read.
      ...(address !== null && { address }),
      ...(moved && { readyAt: null }),
      ...(seen.state === 'terminated' && { disks: null, disksSeenAt: null }),
    })
    .where(eq(members.id, row.id))
    .returning();
  const turn = ledgerTurn(
    {
      state: row.state,
      type: row.instanceType,
      launchedAt: row.launchedAt?.toISOString() ?? null,
      observedAt: row.observedAt?.toISOString() ?? null,
    },
    { state: seen.state, type: seen.type, launchedAt: launchedAt?.toISOString() ?? null },
  );
  if (turn) {
    const { closeAt, openAt } = turn;
    await db.execute(
      sql`update machine_time set to_at = greatest(from_at, ${notLater(closeAt)})
        where member_id = ${row.id} and to_at is null`,
    );
    await db
      .insert(machineTime)
      .values({
        memberId: row.id,
        state: seen.state,
        instanceType: seen.type,
        usdPerHour,
        fromAt: notLater(openAt),
      })
      .onConflictDoNothing();
  }
  return changed ?? row;
}

/** Now, or that time: the clock of the cloud may be ahead. */
function notLater(time: string | null): SQL {
  return sql`least(clock_timestamp(), ${time}::timestamptz)`;
}
