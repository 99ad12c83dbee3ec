// Brings the tables up to date at start; several processes may do so at once, one of them does the work.
import { sql } from 'drizzle-orm';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import { onOneConnection } from '../clients/postgres.ts';

/** An arbitrary number that stands for "migrating Fermata" among PostgreSQL's advisory locks. */
const MIGRATION_LOCK = 7_305_521;

/** Applies the migrations in `folder` that the database does not have yet, under an advisory lock. */
export async function migrate(url: string, folder: string): Promise<void> {
  await onOneConnection(url, async (db) => {
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await applyMigrations(db, { migrationsFolder: folder });
  });
}
