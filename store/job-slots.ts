// Slots: which job of a member may run now, and with it the lease on its machine.
import { sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { HOLDING, LAUNCHED } from '../domain/job.ts';
import { changeJob, findJobs, jobById, keepJob, queueOf, slotHolders } from './jobs.ts';
import { takeLeases } from './leases.ts';
import { memberById } from './members.ts';

export type Admission =
  | { readonly kind: 'admitted' }
  /** `holder`: who holds the machine in a way that lets no job use it; undefined when it waits for something else. */
  | { readonly kind: 'waits'; readonly says: string; readonly target: string; readonly holder: string | undefined }
  /** It was asked to end, or can never run. */
  | { readonly kind: 'over'; readonly state: 'cancelled' | 'failed' | 'lost'; readonly why: string };

/** Gives a job its slot and the shared use of its machine, both or none. Must run in a transaction. */
export async function admitJob(db: Queries, id: string, runId: string): Promise<Admission> {
  const first = await jobById(db, id);
  if (!first) throw new Error(`job ${id} has no row`);
  await lockSlots(db, first.memberId);
  const job = (await jobById(db, id)) ?? first;
  if (job.cancelRequestedAt !== null) return { kind: 'over', state: 'cancelled', why: 'It was cancelled.' };
  const member = await memberById(db, job.memberId);
  if (!member) return { kind: 'over', state: 'lost', why: 'Its member was removed.' };
  const waits = (says: string, holder?: string): Admission => ({ kind: 'waits', says, target: member.target, holder });
  if (!HOLDING.includes(job.state)) {
    const needed = await findJobs(db, job.tenant, job.spec.dependsOn);
    const failed = needed.find(({ state }) => state === 'failed' || state === 'cancelled' || state === 'lost');
    if (failed) return { kind: 'over', state: 'failed', why: `It depends on ${failed.id}, which is ${failed.state}.` };
    const open = needed.find(({ state }) => state !== 'completed');
    if (open) return waits(`It waits for ${open.id}, which is ${open.state}.`);
    const busy = await slotsTaken(db, job.memberId, id, member.settings.jobSlots);
    if (busy) return waits(busy);
  }
  const holder = await takeLeases(db, [{ target: member.target, mode: 'shared' }], { holder: id, runId, now: job.now });
  if (holder !== undefined) return waits(`It waits for its machine, which ${holder} uses alone.`, holder);
  await keepJob(db, id, { runId, yieldedTo: null });
  if (!LAUNCHED.includes(job.state) && job.state !== 'starting')
    await changeJob(db, job, { state: 'starting', says: 'It has its slot and its machine.' });
  return { kind: 'admitted' };
}

/** Nobody else gives or takes slots of this member until the transaction ends. */
export async function lockSlots(db: Queries, memberId: string): Promise<void> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`jobs/${memberId}`}, 0))`);
}

/** Why no slot is free for a queued job, in words; undefined when it is its turn. */
async function slotsTaken(db: Queries, memberId: string, id: string, slots: number): Promise<string | undefined> {
  const held = await slotHolders(db, [memberId]);
  const alone = held.find(({ spec }) => spec.exclusive);
  if (alone) return `It waits for ${alone.id}, which is alone on the machine.`;
  const queue = await ready(db, memberId);
  const place = queue.findIndex((queued) => queued.id === id);
  const ahead = queue.slice(0, place);
  const aloneAhead = ahead.find(({ spec }) => spec.exclusive);
  if (aloneAhead) return `It waits for ${aloneAhead.id}, which will be alone on the machine.`;
  if (queue[place]?.spec.exclusive === true && held.length + ahead.length > 0)
    return 'It waits to be alone on the machine.';
  if (held.length + ahead.length >= slots) return `It waits for one of ${slots} slots; ${ahead.length} are before it.`;
  return undefined;
}

/** The queue of a member without those that wait for other jobs, which keep nobody from a slot. */
async function ready(db: Queries, memberId: string) {
  const queue = await queueOf(db, memberId);
  const ids = [...new Set(queue.flatMap(({ spec }) => spec.dependsOn))];
  if (ids.length === 0) return queue;
  const open = await db.execute(
    sql`select id from jobs where id in (${sql.join(
      ids.map((id) => sql`${id}`),
      sql`, `,
    )}) and state <> 'completed'`,
  );
  const waiting = new Set(open.rows.map((row) => String(row.id)));
  return queue.filter(({ spec }) => !spec.dependsOn.some((id) => waiting.has(id)));
}
