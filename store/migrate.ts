// Brings the tables up to date at start; several processes may do so at once, one of them does the work.
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';

/** An arbitrary number that stands for "migrating Fermata" among PostgreSQL's advisory locks. */
const MIGRATION_LOCK = 7_305_521;

/** Applies the migrations in `folder` that the database does not have yet, under an advisory lock. */
export async function migrate(url: string, folder: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const db = drizzle(client);
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await applyMigrations(db, { migrationsFolder: folder });
  } finally {
    await client.end();
  }
}
