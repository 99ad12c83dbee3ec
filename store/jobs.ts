// Queries on jobs: register, find, list, give a slot, change, and what was seen of them.
import { and, asc, desc, eq, getTableColumns, gte, inArray, lt, lte, notInArray, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { NewJobInput } from '../domain/activity.ts';
import type { JobState } from '../domain/job.ts';
import { ENDED, HOLDING } from '../domain/job.ts';
import type { JsonObject } from '../domain/task.ts';
import { clock } from './clock.ts';
import { jobEvents, jobs } from './job-schema.ts';

export type JobRow = typeof jobs.$inferSelect;
export type JobEventRow = typeof jobEvents.$inferSelect;
/** With PostgreSQL's time at which it was read. */
export type JobNow = JobRow & { readonly now: Date };

const rowNow = { ...getTableColumns(jobs), now: clock };
const notEnded = () => notInArray(jobs.state, [...ENDED]);

/** Registers a job with its first event; does nothing when it is registered already. */
export async function insertJob(db: Queries, job: NewJobInput): Promise<void> {
  const { id, tenant, memberId, taskId, by, spec } = job;
  const says = 'It waits for a slot.';
  const made = await db
    .insert(jobs)
    .values({
      id,
      tenant,
      memberId,
      taskId,
      startedBy: by,
      spec,
      priority: spec.priority,
      state: 'queued',
      reason: says,
      createdAt: sql`clock_timestamp()`,
      updatedAt: sql`clock_timestamp()`,
    })
    .onConflictDoNothing()
    .returning({ id: jobs.id });
  if (made.length > 0) await noteJob(db, { id, tenant, state: 'queued' }, { by, says });
}

/** A job by its id, whoever's it is: for activities, which are handed ids by workflows. */
export async function jobById(db: Queries, id: string): Promise<JobNow | undefined> {
  const [row] = await db.select(rowNow).from(jobs).where(eq(jobs.id, id));
  return row;
}

/** Jobs of a tenant by their ids, those that there are. */
export async function findJobs(db: Queries, tenant: string, ids: readonly string[]): Promise<JobNow[]> {
  if (ids.length === 0) return [];
  return db
    .select(rowNow)
    .from(jobs)
    .where(and(inArray(jobs.id, [...ids]), eq(jobs.tenant, tenant)));
}

export interface JobPage {
  readonly limit: number;
  readonly before?: number;
  readonly memberId?: string;
  readonly state?: JobState;
  readonly createdFrom?: Date;
  readonly createdTo?: Date;
}

/** The newest jobs first. */
export async function listJobs(
  db: Queries,
  tenant: string,
  { limit, before, memberId, state, createdFrom, createdTo }: JobPage,
): Promise<{ readonly rows: JobRow[]; readonly more: boolean }> {
  const rows = await db
    .select()
    .from(jobs)
    .where(
      and(
        eq(jobs.tenant, tenant),
        before === undefined ? undefined : lt(jobs.position, before),
        memberId === undefined ? undefined : eq(jobs.memberId, memberId),
        state === undefined ? undefined : eq(jobs.state, state),
        createdFrom === undefined ? undefined : gte(jobs.createdAt, createdFrom),
        createdTo === undefined ? undefined : lte(jobs.createdAt, createdTo),
      ),
    )
    .orderBy(desc(jobs.position))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), more: rows.length > limit };
}

/** Jobs that wait for a slot of a member, in the order in which they get one. */
export async function queueOf(db: Queries, memberId: string): Promise<Pick<JobRow, 'id' | 'spec'>[]> {
  return db
    .select({ id: jobs.id, spec: jobs.spec })
    .from(jobs)
    .where(and(eq(jobs.memberId, memberId), eq(jobs.state, 'queued')))
    .orderBy(desc(jobs.priority), asc(jobs.position))
    .limit(1_000);
}

/** The jobs of these members that have a slot. */
export async function slotHolders(db: Queries, memberIds: readonly string[]): Promise<JobRow[]> {
  if (memberIds.length === 0) return [];
  return db
    .select()
    .from(jobs)
    .where(and(inArray(jobs.memberId, [...memberIds]), inArray(jobs.state, [...HOLDING])))
    .orderBy(asc(jobs.position));
}

/** Jobs that wait for this one to complete. */
export async function dependentsOf(db: Queries, id: string): Promise<string[]> {
  const rows = await db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(eq(jobs.state, 'queued'), sql`${jobs.spec}->'dependsOn' ? ${id}`));
  return rows.map((row) => row.id);
}

export interface JobNote {
  readonly says: string;
  readonly by?: string;
  readonly detail?: JsonObject;
}

export interface JobChange extends JobNote {
  readonly state: JobState;
  readonly exitCode?: number | null;
}

type Named = Pick<JobRow, 'id' | 'tenant' | 'state'>;

/** Changes the state of a job that has not ended, and notes it. False when it has ended. */
export async function changeJob(
  db: Queries,
  job: Pick<Named, 'id' | 'tenant'>,
  { state, exitCode, ...note }: JobChange,
): Promise<boolean> {
  const changed = await db
    .update(jobs)
    .set({
      state,
      reason: note.says,
      updatedAt: sql`clock_timestamp()`,
      ...(state === 'running' && { startedAt: sql`coalesce(${jobs.startedAt}, clock_timestamp())` }),
      ...(ENDED.includes(state) && { endedAt: sql`clock_timestamp()` }),
      ...(exitCode !== undefined && { exitCode }),
    })
    .where(and(eq(jobs.id, job.id), notEnded()))
    .returning({ id: jobs.id });
  if (changed.length === 0) return false;
  await noteJob(db, { ...job, state }, note);
  return true;
}

/** Notes something of a job that changes nothing about its state. */
export async function noteJob(
  db: Queries,
  { id, tenant, state }: Named,
  { says, by = 'fermata', detail = {} }: JobNote,
): Promise<void> {
  await db.insert(jobEvents).values({ tenant, jobId: id, at: sql`clock_timestamp()`, by, state, says, detail });
}

/** Keeps what is known of a job besides its state. */
export async function keepJob(db: Queries, id: string, seen: Partial<Omit<JobRow, 'id' | 'state'>>): Promise<void> {
  await db.update(jobs).set(seen).where(eq(jobs.id, id));
}

/** What happened to a job, oldest first. */
export async function eventsOfJob(db: Queries, id: string, limit: number): Promise<JobEventRow[]> {
  const newest = await db
    .select()
    .from(jobEvents)
    .where(eq(jobEvents.jobId, id))
    .orderBy(desc(jobEvents.id))
    .limit(limit);
  return newest.reverse();
}

/** Some of the open jobs that nobody has looked at lately: each time others, as those that only wait are never looked at. */
export async function quietJobs(db: Queries, quietMs: number, limit: number): Promise<JobRow[]> {
  const since = sql`coalesce(${jobs.lookedAt}, ${jobs.createdAt})`;
  return db
    .select()
    .from(jobs)
    .where(and(notEnded(), sql`${since} < clock_timestamp() - ${`${quietMs} milliseconds`}::interval`))
    .orderBy(sql`random()`)
    .limit(limit);
}

export interface FolderDue {
  readonly memberId: string;
  /** Jobs whose folder should be gone, and those whose end nobody has seen yet. */
  readonly due: readonly string[];
  /** Those of them that were due a day ago already. */
  readonly longDue: readonly string[];
  readonly open: readonly string[];
}

/** Some of the members that run, each time others, with the jobs whose folders on them are kept no longer. */
export async function foldersDue(
  db: Queries,
  { successMs, otherMs, limit }: { readonly successMs: number; readonly otherMs: number; readonly limit: number },
): Promise<FolderDue[]> {
  const { rows } = await db.execute(sql`
    with overdue as (
      select id, member_id, clock_timestamp() - ended_at
        - case state when 'completed' then ${successMs}::float8 else ${otherMs}::float8 end * interval '1 millisecond' as by
      from jobs where ended_at is not null and cleaned_at is null
    )
    select m.id as member_id,
           array_agg(j.id) as due,
           coalesce(array_agg(j.id) filter (where j.by > interval '1 day'), '{}') as long_due,
           coalesce((select array_agg(o.id) from jobs o where o.member_id = m.id and o.ended_at is null), '{}') as open
    from members m join overdue j on j.member_id = m.id
    where j.by > interval '0' and (m.state = 'running' or m.settings->'cloud' = 'null'::jsonb)
    group by m.id order by random() limit ${limit}`);
  return rows.map(({ member_id, due, long_due, open }) => ({
    memberId: String(member_id),
    due: idsIn(due),
    longDue: idsIn(long_due),
    open: idsIn(open),
  }));
}

const idsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

/** Notes that the folders of these are gone from their machines. */
export async function markCleaned(db: Queries, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await db
    .update(jobs)
    .set({ cleanedAt: sql`clock_timestamp()` })
    .where(inArray(jobs.id, [...ids]));
}
