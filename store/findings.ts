// Queries on findings: kept as long as they are so, resolved when they are not, and listed; and the leases to suspect.
import { and, asc, desc, eq, inArray, isNotNull, isNull, lt, or, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { FindingKind, FindingWish } from '../domain/finding.ts';
import { TASK_STATUSES, isTerminal } from '../domain/task.ts';
import type { LeaseRow } from './leases.ts';
import { findings } from './member-schema.ts';
import { leases, tasks } from './schema.ts';

export type FindingRow = typeof findings.$inferSelect;

const ROWS_A_STATEMENT = 500;
const OPEN_OF_A_KIND = 5_000;

/** Keeps what is so now. Returns the subjects that were not open before; of a subject named twice the last counts. */
export async function keepFindings(db: Queries, wishes: readonly FindingWish[]): Promise<Set<string>> {
  const rows = [...new Map(wishes.map((wish) => [`${wish.kind} ${wish.subject}`, wish])).values()];
  const fresh = new Set<string>();
  for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
    const kept = await db
      .insert(findings)
      .values(
        rows
          .slice(from, from + ROWS_A_STATEMENT)
          .map((wish) => ({ ...wish, firstSeenAt: sql`now()`, lastSeenAt: sql`now()` })),
      )
      .onConflictDoUpdate({
        target: [findings.kind, findings.subject],
        set: {
          says: sql`excluded.says`,
          tenant: sql`excluded.tenant`,
          firstSeenAt: sql`case when ${findings.resolvedAt} is null then ${findings.firstSeenAt} else now() end`,
          lastSeenAt: sql`now()`,
          resolvedAt: null,
        },
      })
      .returning({ subject: findings.subject, fresh: sql<boolean>`${findings.firstSeenAt} = ${findings.lastSeenAt}` });
    for (const row of kept) if (row.fresh) fresh.add(row.subject);
  }
  return fresh;
}

/** The open findings of a kind, oldest first. */
export async function openFindings(db: Queries, kind: FindingKind): Promise<FindingRow[]> {
  return db
    .select()
    .from(findings)
    .where(and(eq(findings.kind, kind), isNull(findings.resolvedAt)))
    .orderBy(asc(findings.firstSeenAt))
    .limit(OPEN_OF_A_KIND);
}

/** Notes that these are no longer so. */
export async function resolveFindings(db: Queries, kind: FindingKind, subjects: readonly string[]): Promise<void> {
  if (subjects.length === 0) return;
  await db
    .update(findings)
    .set({ resolvedAt: sql`now()` })
    .where(and(eq(findings.kind, kind), isNull(findings.resolvedAt), inArray(findings.subject, [...subjects])));
}

/** Resolves those on members that were seen alive since, or were removed. */
export async function resolveSeenMembers(db: Queries): Promise<void> {
  await db.execute(sql`
    update findings set resolved_at = now()
    where kind = 'member_without_instance' and resolved_at is null and not exists (
      select from members where id = subject and (state is null or state = 'terminated'))`);
}

/** Resolves those of a kind that nothing has confirmed for so long. */
export async function resolveUnconfirmed(db: Queries, kind: FindingKind, olderThanMs: number): Promise<void> {
  await db
    .update(findings)
    .set({ resolvedAt: sql`now()` })
    .where(and(eq(findings.kind, kind), isNull(findings.resolvedAt), lt(findings.lastSeenAt, ago(olderThanMs))));
}

/** Forgets what was resolved so long ago. */
export async function dropOldFindings(db: Queries, olderThanMs: number): Promise<void> {
  await db.delete(findings).where(and(isNotNull(findings.resolvedAt), lt(findings.resolvedAt, ago(olderThanMs))));
}

const ago = (ms: number) => sql<Date>`now() - ${`${Math.round(ms)} milliseconds`}::interval`;

export interface FindingPage {
  /** True for those that are still so, false for those that are not; undefined for both. */
  readonly open?: boolean;
  readonly kind?: FindingKind;
  readonly limit: number;
  /** The last one of the page before. */
  readonly after?: { readonly firstSeenAt: string; readonly kind: string; readonly subject: string };
}

/** A page of a tenant's findings, newest first. */
export async function listFindings(
  db: Queries,
  tenant: string,
  { open, kind, limit, after }: FindingPage,
): Promise<{ readonly rows: FindingRow[]; readonly more: boolean }> {
  const { firstSeenAt, subject } = findings;
  const rows = await db
    .select()
    .from(findings)
    .where(
      and(
        eq(findings.tenant, tenant),
        open === undefined ? undefined : open ? isNull(findings.resolvedAt) : isNotNull(findings.resolvedAt),
        kind === undefined ? undefined : eq(findings.kind, kind),
        after &&
          or(
            sql`${firstSeenAt} < ${after.firstSeenAt}::timestamptz`,
            and(
              sql`${firstSeenAt} = ${after.firstSeenAt}::timestamptz`,
              sql`(${findings.kind}, ${subject}) > (${after.kind}, ${after.subject})`,
            ),
          ),
      ),
    )
    .orderBy(desc(firstSeenAt), asc(findings.kind), asc(subject))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), more: rows.length > limit };
}

/**
 * Leases whose holder is no task that goes on, in any order, so that each gets its turn: a live task gives its own
 * back with its last event, and a task that was lost is closed by its row.
 */
export async function suspectLeases(db: Queries, limit: number): Promise<LeaseRow[]> {
  const ended = TASK_STATUSES.filter(isTerminal);
  const rows = await db
    .select({ lease: leases })
    .from(leases)
    .leftJoin(tasks, eq(tasks.id, sql`substr(${leases.holder}, 6)`))
    .where(or(isNull(tasks.id), inArray(tasks.status, ended)))
    .orderBy(sql`random()`)
    .limit(limit);
  return rows.map(({ lease }) => lease);
}

/** Those of these leases, as finding subjects, that are still held. */
export async function heldLeases(db: Queries, subjects: readonly string[]): Promise<Set<string>> {
  if (subjects.length === 0) return new Set();
  const name = sql<string>`${leases.target} || ' ' || ${leases.holder}`;
  const rows = await db
    .select({ subject: name })
    .from(leases)
    .where(inArray(name, [...subjects]));
  return new Set(rows.map(({ subject }) => subject));
}
