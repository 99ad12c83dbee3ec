// Queries on dead-man switches: which machines have one, and which of them heard nothing for a while.
import { and, asc, eq, getTableColumns, gt, isNull, lt, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { GUARD_STEP } from '../domain/ready.ts';
import type { MemberRow } from './members.ts';
import { members, readyRuns } from './member-schema.ts';
import type { ReadyRunRow } from './ready-runs.ts';

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

export interface GuardSeen {
  readonly row: MemberRow;
  /** The last time it was put on; null when it never was. */
  readonly run: ReadyRunRow | null;
}

/**
 * Members that run and want a switch that may be missing: never put on, or not there since, or before a start, a boot or
 * a change of the member. In any order, so that each gets its turn.
 */
export async function guardsMissing(db: Queries, limit: number): Promise<GuardSeen[]> {
  const boot = sql`${members.clocks}->>'bootId'`;
  return db
    .select({ row: getTableColumns(members), run: readyRuns })
    .from(members)
    .leftJoin(readyRuns, and(eq(readyRuns.memberId, members.id), eq(readyRuns.name, GUARD_STEP)))
    .where(
      and(
        eq(members.state, 'running'),
        sql`not (${unwanted})`,
        or(
          isNull(readyRuns.memberId),
          eq(readyRuns.ok, false),
          gt(members.launchedAt, readyRuns.at),
          gt(members.updatedAt, readyRuns.at),
          sql`${boot} <> ${readyRuns.bootId}`,
        ),
      ),
    )
    .orderBy(sql`random()`)
    .limit(limit);
}
