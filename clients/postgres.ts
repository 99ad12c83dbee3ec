// The one place that connects to PostgreSQL: a pool that gives up soon, transactions, and a listener that reconnects.
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { Failure } from '../domain/failures.ts';

/** Everything the store does is one short statement or transaction; longer means that PostgreSQL is in trouble. */
const TIMEOUT_MS = 2_000;

/** What a query runs on: the database itself or a transaction of it. */
export type Queries = Pick<NodePgDatabase, 'select' | 'insert' | 'update' | 'delete' | 'execute'>;

export interface Postgres {
  readonly db: Queries;
  /** Runs work in one transaction: all of it, or none when it throws. */
  transaction<T>(work: (db: Queries) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Opens a pool; it connects with the first query. `connections` bounds it. */
export function openPostgres(url: string, connections = 10): Postgres {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    idle_in_transaction_session_timeout: TIMEOUT_MS * 2,
    application_name: 'fermata',
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  // The same for one that breaks between two queries of a transaction: the next query says so.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    db: drizzle(pool),
    transaction: (work) => transaction(pool, work),
    close: () => pool.end(),
  };
}

/** Not drizzle's own, which never gives a connection back to the pool when `begin` fails on it. */
async function transaction<T>(pool: pg.Pool, work: (db: Queries) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query('begin');
    const answer = await work(drizzle(client));
    await client.query('commit');
    return answer;
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Runs work of any length on one connection of its own, so that a session's advisory lock covers all of it. */
export async function onOneConnection<T>(url: string, work: (db: NodePgDatabase) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return await work(drizzle(client));
  } finally {
    await client.end();
  }
}

const UNREACHABLE = /^(08|53|57P|ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/;
const UNREACHABLE_TEXT = /timeout|terminated|Connection ended|not queryable|Client has encountered/i;

/** True when PostgreSQL could not be asked, as opposed to having refused what it was asked. */
export function isUnreachable(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const code: unknown = Reflect.get(cause, 'code');
    if (typeof code === 'string' && (UNREACHABLE.test(code) || code === '57014')) return true;
    if (cause instanceof AggregateError && cause.errors.some(isUnreachable)) return true;
    if (!(typeof code === 'string') && UNREACHABLE_TEXT.test(cause.message)) return true;
  }
  return false;
}

/** True when a row was refused because another one has what must be unique. */
export function isDuplicate(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && Reflect.get(cause, 'code') === '23505';
}

/** Runs a query and turns "out of reach" into the failure `StoreUnavailable`. */
export async function reaching<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isUnreachable(error) ? new Failure('StoreUnavailable') : error;
  }
}

export interface Listener {
  close(): Promise<void>;
}

/**
 * Listens to channels on a connection of its own and reconnects for ever. `onNotice` is called with each payload, and
 * with `null` for every channel after a reconnect, since notices sent in between are lost.
 */
export function listen(
  url: string,
  channels: readonly string[],
  onNotice: (channel: string, payload: string | null) => void,
): Listener {
  let closed = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;

  const again = (broken: pg.Client) => {
    if (closed || client !== broken) return;
    client = undefined;
    broken.end().catch(() => undefined);
    timer = setTimeout(() => void connect(), 500);
  };
  const connect = async () => {
    const next = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: TIMEOUT_MS,
      keepAlive: true,
      application_name: 'fermata-listener',
    });
    client = next;
    next.on('error', () => again(next));
    next.on('end', () => again(next));
    next.on('notification', ({ channel, payload }) => onNotice(channel, payload ?? ''));
    try {
      await next.connect();
      for (const channel of channels) await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      for (const channel of channels) onNotice(channel, null);
    } catch {
      again(next);
    }
  };
  void connect();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await client?.end().catch(() => undefined);
    },
  };
}
