// Queries on dead-man switches: which machines have one, and which of them heard nothing for a while.
import { and, asc, eq, getTableColumns, isNull, lt, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { GUARD_STEP } from '../domain/ready.ts';
import type { MemberRow } from './members.ts';
import { members, readyRuns } from './member-schema.ts';

const unwanted = sql`${members.settings}->'cloud'->>'guardMin' is null`;

/** Members whose switch is no longer wanted, and those that run and that the sweep has not looked at for so long; the latter, longest first. */
export async function guardsDue(
  db: Queries,
  { quietMs, limit }: { readonly quietMs: number; readonly limit: number },
): Promise<MemberRow[]> {
  const before = sql`clock_timestamp() - ${`${Math.round(quietMs)} milliseconds`}::interval`;
  const quiet = or(isNull(members.probedAt), lt(members.probedAt, before));
  return db
    .select(getTableColumns(members))
    .from(members)
    .innerJoin(readyRuns, and(eq(readyRuns.memberId, members.id), eq(readyRuns.name, GUARD_STEP)))
    .where(or(unwanted, and(eq(members.state, 'running'), quiet)))
    .orderBy(asc(unwanted), sql`${members.probedAt} asc nulls first`)
    .limit(limit);
}
