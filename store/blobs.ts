// Files on their way, kept in parts: each part is a short statement of its own, and no file is ever in memory as a whole.
import { createHash, randomUUID } from 'node:crypto';
import { and, eq, ne, sql } from 'drizzle-orm';
import type { Postgres, Queries } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import { blobParts, blobs } from './member-schema.ts';

export interface StoredBlob {
  readonly id: string;
  readonly tenant: string;
  readonly sizeBytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

const PART_BYTES = 1_048_576;
/** Where the sum of a blob will be: until then nobody finds it. */
const UNFINISHED = '';
/** How long a blob is kept after it was last written. */
const KEPT_HOURS = 24;
const DROPPED_AT_ONCE = 50;

export interface BlobWriter {
  /** How much was added so far. */
  readonly sizeBytes: number;
  /** One at a time. Throws `BodyTooLarge`, `StoreUnavailable`, and `BlobUnavailable` when it took longer than blobs are kept. */
  add(chunk: Uint8Array): Promise<void>;
  /**
   * Makes it findable under the id that `idOf` gives for its sum. A blob that has this id already stays as it is, is kept
   * as long as a new one, and is the answer. What `idOf` throws comes through.
   */
  keep(idOf: (sha256: string) => string): Promise<StoredBlob>;
  /** Takes away what was added and not kept. */
  drop(): Promise<void>;
}

/** Begins a blob of at most `limitBytes`. Under an id of its own until it is kept, so two writers never mix their parts. */
export async function startBlob(postgres: Postgres, tenant: string, limitBytes: number): Promise<BlobWriter> {
  const { db } = postgres;
  const staging = `new-${randomUUID()}`;
  const hash = createHash('sha256');
  const part = Buffer.allocUnsafe(PART_BYTES);
  let filledBytes = 0;
  let parts = 0;
  let sizeBytes = 0;
  const start = { id: staging, tenant, sizeBytes, sha256: UNFINISHED, createdAt: sql`clock_timestamp()` };
  await reaching(db.insert(blobs).values(start).execute());

  const flush = async () => {
    const bytes = part.subarray(0, filledBytes);
    // Only as long as its row is there: parts without one would be nobody's.
    const written = await reaching(
      db.execute(sql`
        insert into blob_parts (blob_id, part, bytes)
        select id, ${parts}::int, ${bytes}::bytea from blobs where id = ${staging}`),
    );
    if (written.rowCount !== 1) throw unavailable(staging, 'it took too long to write.');
    parts += 1;
    filledBytes = 0;
  };
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    add: async (chunk) => {
      if (sizeBytes + chunk.length > limitBytes) throw new Failure('BodyTooLarge', { limit: limitBytes });
      hash.update(chunk);
      sizeBytes += chunk.length;
      for (let at = 0; at < chunk.length;) {
        const taken = chunk.subarray(at, at + PART_BYTES - filledBytes);
        part.set(taken, filledBytes);
        at += taken.length;
        filledBytes += taken.length;
        if (filledBytes === PART_BYTES) await flush();
      }
    },
    keep: async (idOf) => {
      if (filledBytes > 0) await flush();
      const sha256 = hash.digest('hex');
      const blob = { id: idOf(sha256), tenant, sizeBytes, sha256 };
      const { made, kept } = await reaching(postgres.transaction((queries) => settle(queries, staging, parts, blob)));
      if (!made) await drop(db, staging);
      return kept;
    },
    drop: () => drop(db, staging),
  };
}

/** Moves the parts to the final id, unless there is a blob of that id. Must run in a transaction. */
async function settle(
  db: Queries,
  staging: string,
  parts: number,
  blob: StoredBlob,
): Promise<{ readonly made: boolean; readonly kept: StoredBlob }> {
  const [row] = await db
    .insert(blobs)
    .values({ ...blob, createdAt: sql`clock_timestamp()` })
    .onConflictDoUpdate({ target: blobs.id, set: { createdAt: sql`excluded.created_at` } })
    .returning({ ...FOUND, made: sql<boolean>`xmax = 0` });
  if (!row) throw unavailable(blob.id, 'it could not be kept.');
  const { made, ...kept } = row;
  if (!made) return { made, kept };
  const moved = await db.update(blobParts).set({ blobId: blob.id }).where(eq(blobParts.blobId, staging));
  if (moved.rowCount !== parts) throw unavailable(blob.id, 'it took too long to write.');
  await db.delete(blobs).where(eq(blobs.id, staging));
  return { made, kept };
}

async function drop(db: Queries, id: string): Promise<void> {
  await reaching(
    db
      .execute(
        sql`
        with gone as (delete from blobs where id = ${id} returning id)
        delete from blob_parts using gone where blob_id = gone.id`,
      )
      .then(() => undefined),
  );
}

const FOUND = { id: blobs.id, tenant: blobs.tenant, sizeBytes: blobs.sizeBytes, sha256: blobs.sha256 };

/** Writes all of a source as one blob; see {@link BlobWriter}. What the source throws comes through, and nothing is left. */
export async function writeBlob(
  postgres: Postgres,
  {
    tenant,
    limitBytes,
    idOf,
  }: { readonly tenant: string; readonly limitBytes: number; readonly idOf: (sha256: string) => string },
  source: AsyncIterable<Uint8Array>,
): Promise<StoredBlob> {
  const writer = await startBlob(postgres, tenant, limitBytes);
  try {
    for await (const chunk of source) await writer.add(chunk);
    return await writer.keep(idOf);
  } catch (error) {
    await writer.drop().catch(() => undefined);
    throw error;
  }
}

/** A blob that is complete, whoever's it is. */
export async function findBlob(db: Queries, id: string): Promise<StoredBlob | undefined> {
  const [row] = await db
    .select(FOUND)
    .from(blobs)
    .where(and(eq(blobs.id, id), ne(blobs.sha256, UNFINISHED)));
  return row;
}

/** The bytes of a blob from `offset` on, a part at a time. Throws `StoreUnavailable`, and `BlobUnavailable` when it was dropped. */
export async function* readBlob(
  db: Queries,
  { id, sizeBytes }: Pick<StoredBlob, 'id' | 'sizeBytes'>,
  offset = 0,
): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < sizeBytes;) {
    const isPart = and(eq(blobParts.blobId, id), eq(blobParts.part, Math.floor(at / PART_BYTES)));
    const [row] = await reaching(db.select({ bytes: blobParts.bytes }).from(blobParts).where(isPart).execute());
    const bytes = row?.bytes.subarray(at % PART_BYTES);
    if (!bytes || bytes.length === 0) throw unavailable(id, 'a part of it is gone.');
    yield bytes;
    at += bytes.length;
  }
}

/**
 * Drops blobs that were last written 24 hours ago, finished or not; at most 50 at a time. Those that a task fetched for
 * a job are kept until so long after the job ended. Returns how many.
 */
export async function dropOldBlobs(db: Queries, artifactsKeptMs: number): Promise<number> {
  const isOld = sql`created_at < clock_timestamp() - make_interval(hours => ${KEPT_HOURS})`;
  const old = await db
    .select({ id: blobs.id })
    .from(blobs)
    .where(
      and(
        isOld,
        sql`not exists (select 1 from jobs where artifacts_task_id = left(blobs.id, 36)
          and ended_at > clock_timestamp() - ${`${Math.round(artifactsKeptMs)} milliseconds`}::interval)`,
      ),
    )
    .orderBy(blobs.createdAt)
    .limit(DROPPED_AT_ONCE);
  // One by one, since each is up to 64 parts; and asked again, since a blob may have been kept anew meanwhile.
  for (const { id } of old) {
    await db.execute(sql`
      with gone as (delete from blobs where id = ${id} and ${isOld} returning id)
      delete from blob_parts using gone where blob_id = gone.id`);
  }
  return old.length;
}

function unavailable(id: string, why: string): Failure {
  return new Failure('BlobUnavailable', { id, why });
}
