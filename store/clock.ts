// PostgreSQL's clock: the one that decides whether a decision came in time.
import { sql } from 'drizzle-orm';

/** The time of the statement, cut to the millisecond that JavaScript can carry. */
export const clock = sql`(extract(epoch from clock_timestamp()) * 1000)::float8`.mapWith(
  (epochMs) => new Date(Math.floor(Number(epochMs))),
);
