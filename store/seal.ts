// The sealer: gives committed events their position in the tenant's order and their link of the hash chain.
import { createHash } from 'node:crypto';
import { asc, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Postgres, Queries } from '../clients/postgres.ts';
import type { TaskEvent } from '../domain/event.ts';
import { GENESIS_HASH, sealText } from '../domain/event.ts';
import type { SealedEvent } from './events.ts';
import { eventOfRow } from './events.ts';
import { events, seals, unsealed } from './schema.ts';

/** An arbitrary number that stands for "sealing" among PostgreSQL's advisory locks: one sealer at a time. */
const SEAL_LOCK = 7_305_522;

/** How many events one transaction seals at most: a full one says that more may be waiting. */
export const SEAL_BATCH = 500;

/** The hash of a seal. */
export function sealHash(formerHash: string, position: number, event: TaskEvent): string {
  return createHash('sha256')
    .update(sealText(formerHash, position, event))
    .digest('hex');
}

/**
 * Seals a batch of committed events. Returns how many, 0 when there is nothing to do or another process is at it.
 * `onSealed` is called before the commit: what it writes is written at least once, in order.
 */
export async function sealBatch(
  { transaction }: Postgres,
  onSealed: (sealed: readonly SealedEvent[]) => void = () => undefined,
): Promise<number> {
  return transaction(async (db) => {
    const { rows } = await db.execute<{ locked: boolean }>(
      sql`select pg_try_advisory_xact_lock(${SEAL_LOCK}) as locked`,
    );
    if (rows[0]?.locked !== true) return 0;
    const next = db.select({ id: unsealed.eventId }).from(unsealed).orderBy(asc(unsealed.eventId)).limit(SEAL_BATCH);
    const taken = await db.delete(unsealed).where(inArray(unsealed.eventId, next)).returning({ id: unsealed.eventId });
    if (taken.length === 0) return 0;
    const ids = taken.map(({ id }) => id);
    const batch = await db.select().from(events).where(inArray(events.id, ids)).orderBy(asc(events.id));
    const heads = new Map<string, { position: number; hash: string }>();
    const sealed: (SealedEvent & { eventId: number })[] = [];
    for (const row of batch) {
      const head = heads.get(row.tenant) ?? (await headOf(db, row.tenant));
      const event = eventOfRow(row);
      const position = head.position + 1;
      const hash = sealHash(head.hash, position, event);
      heads.set(row.tenant, { position, hash });
      sealed.push({ position, hash, event, eventId: row.id });
    }
    if (sealed.length === 0) return taken.length;
    await db.insert(seals).values(
      sealed.map(({ position, hash, eventId, event: { tenant, taskId, seq } }) => ({
        tenant,
        position,
        eventId,
        taskId,
        seq,
        hash,
      })),
    );
    await db.execute(sql`select pg_notify('fermata_sealed', '')`);
    onSealed(sealed);
    return sealed.length;
  });
}

/** The last seal of a tenant: position 0 and the genesis hash before the first. */
export async function headOf(db: Queries, tenant: string): Promise<{ position: number; hash: string }> {
  const [head] = await db
    .select({ position: seals.position, hash: seals.hash })
    .from(seals)
    .where(eq(seals.tenant, tenant))
    .orderBy(desc(seals.position))
    .limit(1);
  return head ?? { position: 0, hash: GENESIS_HASH };
}
