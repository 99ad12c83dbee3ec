// The kept log of a job: appended to by whoever watches it, read by offset, and never larger than a bound.
import { and, desc, eq, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { jobLog } from './job-schema.ts';

/** What of a log is kept; older parts go. */
const KEPT_LOG_BYTES = 160 * 1_048_576;

export interface LogPiece {
  readonly fromByte: number;
  readonly bytes: Buffer;
}

/** Appends a piece; one that is there already stays as it is. */
export async function appendLog(db: Queries, jobId: string, { fromByte, bytes }: LogPiece): Promise<void> {
  if (bytes.length === 0) return;
  await db.insert(jobLog).values({ jobId, fromByte, bytes }).onConflictDoNothing();
  const keptFrom = fromByte + bytes.length - KEPT_LOG_BYTES;
  if (keptFrom <= 0) return;
  await db.delete(jobLog).where(and(eq(jobLog.jobId, jobId), sql`${jobLog.fromByte} < ${keptFrom}`));
}

/** Where the next piece begins: one byte after the last that is kept. */
export async function endOfLog(db: Queries, jobId: string): Promise<number> {
  const [last] = await db
    .select({ end: sql<number>`from_byte + length(bytes)`.mapWith(Number) })
    .from(jobLog)
    .where(eq(jobLog.jobId, jobId))
    .orderBy(desc(jobLog.fromByte))
    .limit(1);
  return last?.end ?? 0;
}

/** A log that grows slowly is in many small parts. */
const PARTS_A_READ = 1_000;

/** At most `limit` bytes from an offset, or from the first that is kept after it, up to the next gap; undefined at the end. */
export async function readLog(
  db: Queries,
  jobId: string,
  offset: number,
  limit: number,
): Promise<LogPiece | undefined> {
  // From the part that the offset is in, when there is one. Only what was asked for leaves the server.
  const { rows } = await db.execute<{ from_byte: string; bytes: Buffer }>(sql`
    with parts as (
      select from_byte, length(bytes) as size from job_log
      where job_id = ${jobId} and from_byte + length(bytes) > ${offset} and from_byte >= coalesce(
        (select max(from_byte) from job_log where job_id = ${jobId} and from_byte <= ${offset}), 0)
      order by from_byte limit ${PARTS_A_READ}
    ), placed as (
      select from_byte, sum(size) over (order by from_byte) - size as before from parts
    )
    select greatest(from_byte, ${offset}::bigint) as from_byte,
           substring(bytes from greatest(0, ${offset}::bigint - from_byte)::int + 1 for ${limit}::int) as bytes
    from placed join job_log using (from_byte)
    where job_id = ${jobId}
      and before < ${limit}::bigint + greatest(0, ${offset}::bigint - (select min(from_byte) from parts))
    order by 1`);
  const [first] = rows;
  if (!first) return undefined;
  const fromByte = Number(first.from_byte);
  const parts: Buffer[] = [];
  let length = 0;
  for (const part of rows) {
    if (Number(part.from_byte) !== fromByte + length || length >= limit) break;
    parts.push(part.bytes.subarray(0, limit - length));
    length += part.bytes.length;
  }
  return { fromByte, bytes: Buffer.concat(parts) };
}

/** The last bytes that are kept. */
export async function tailOfLog(db: Queries, jobId: string, limit: number): Promise<Buffer> {
  const end = await endOfLog(db, jobId);
  const parts: Buffer[] = [];
  for (let at = Math.max(0, end - limit); at < end;) {
    const piece = await readLog(db, jobId, at, limit);
    if (!piece) break;
    parts.push(piece.bytes);
    at = piece.fromByte + piece.bytes.length;
  }
  return Buffer.concat(parts);
}

/** Forgets the logs of jobs that ended longer ago than this. */
export async function dropOldLogs(db: Queries, keptMs: number): Promise<void> {
  await db.execute(sql`
    delete from job_log where job_id in (
      select id from jobs where ended_at < clock_timestamp() - ${`${Math.round(keptMs)} milliseconds`}::interval)`);
}
