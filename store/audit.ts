// Checks a tenant's hash chain against its events, without trusting anything but the hashes.
import { and, asc, eq, getTableColumns, gt, isNull, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { GENESIS_HASH } from '../domain/event.ts';
import { eventOfRow } from './events.ts';
import { events, seals, tasks } from './schema.ts';
import { sealHash } from './seal.ts';

export interface AuditReport {
  readonly tenant: string;
  /** Seals that were found right, from the first on. */
  readonly checked: number;
  readonly head: { readonly position: number; readonly hash: string };
  /** The first sequence number that is wrong, and how. */
  readonly firstBad?: { readonly position: number; readonly why: string };
  /** Events without a seal yet. */
  readonly unsealed: number;
  /** Tasks whose last events are missing from the log. */
  readonly truncated: readonly string[];
  /** Tasks whose row does not say what their last event says. */
  readonly astray: readonly string[];
}

const PAGE = 1_000;

/** The tenants there are, also those whose events are gone. */
export async function tenantsOf(db: Queries): Promise<string[]> {
  const { rows } = await db.execute<{ tenant: string }>(
    sql`select tenant from ${seals} union select tenant from ${events} union select tenant from ${tasks} order by 1`,
  );
  return rows.map(({ tenant }) => tenant);
}

/**
 * Walks the chain of a tenant. With `known`, a head noted earlier, it is also found out when the chain was cut off or
 * written anew from some place on.
 */
export async function verifyChain(
  db: Queries,
  tenant: string,
  known?: { readonly position: number; readonly hash: string },
): Promise<AuditReport> {
  let head = { position: 0, hash: GENESIS_HASH };
  let firstBad: AuditReport['firstBad'];
  while (!firstBad) {
    const page = await sealsAfter(db, tenant, head.position);
    for (const { seal, event } of page) {
      const position = head.position + 1;
      const why = flawOf(seal, event, position, head.hash, known);
      if (why !== undefined) {
        firstBad = { position, why };
        break;
      }
      head = { position, hash: seal.hash };
    }
    if (page.length < PAGE) break;
  }
  if (!firstBad && known && head.position < known.position) {
    firstBad = { position: head.position + 1, why: `missing: the chain once reached ${known.position}` };
  }
  const unsealed = await unsealedOf(db, tenant);
  return {
    tenant,
    checked: head.position,
    head,
    ...(firstBad && { firstBad }),
    unsealed,
    truncated: await truncatedTasks(db, tenant),
    astray: await tasksAstray(db, tenant),
  };
}

type Page = Awaited<ReturnType<typeof sealsAfter>>;

function sealsAfter(db: Queries, tenant: string, position: number) {
  return db
    .select({ seal: getTableColumns(seals), event: getTableColumns(events) })
    .from(seals)
    .leftJoin(events, eq(events.id, seals.eventId))
    .where(and(eq(seals.tenant, tenant), gt(seals.position, position)))
    .orderBy(asc(seals.position))
    .limit(PAGE);
}

function flawOf(
  seal: Page[number]['seal'],
  row: Page[number]['event'],
  position: number,
  formerHash: string,
  known: { readonly position: number; readonly hash: string } | undefined,
): string | undefined {
  if (seal.position !== position) return `the seal is missing (the next one is ${seal.position})`;
  if (!row) return `the event of task ${seal.taskId}, number ${seal.seq}, is missing`;
  const event = eventOfRow(row);
  if (event.taskId !== seal.taskId || event.seq !== seal.seq) {
    return `sealed as ${seal.taskId}#${seal.seq}, found ${event.taskId}#${event.seq}`;
  }
  if (sealHash(formerHash, position, event) !== seal.hash) {
    return `the event of task ${event.taskId}, number ${event.seq}, is not the one that was sealed`;
  }
  if (known?.position === position && known.hash !== seal.hash) return 'the chain was written anew before this place';
  return undefined;
}

async function unsealedOf(db: Queries, tenant: string): Promise<number> {
  const [count] = await db
    .select({ count: sql`count(*)`.mapWith(Number) })
    .from(events)
    .leftJoin(seals, eq(seals.eventId, events.id))
    .where(and(eq(events.tenant, tenant), isNull(seals.eventId)));
  return count?.count ?? 0;
}

async function tasksAstray(db: Queries, tenant: string): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`
    select t.id from ${tasks} t join ${events} e on e.task_id = t.id and e.seq = t.last_seq
    where t.tenant = ${tenant} and (t.status <> e.to_status or t.phase <> e.phase or t.reason is distinct from e.reason)
    order by t.position limit 100`);
  return rows.map(({ id }) => id);
}

async function truncatedTasks(db: Queries, tenant: string): Promise<string[]> {
  const { rows } = await db.execute<{ id: string }>(sql`
    select t.id from ${tasks} t
    where t.tenant = ${tenant} and t.last_seq > (select count(*) from ${events} e where e.task_id = t.id)
    order by t.position limit 100`);
  return rows.map(({ id }) => id);
}
