// Reading jobs, their logs and their place in the queue, and asking something of one: from the store, so it works while machines are off.
import { WorkflowNotFoundError } from '@temporalio/client';
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import type { JobState } from '../domain/job.ts';
import { isEnded, isJobId, ranSeconds } from '../domain/job.ts';
import { priceOf } from '../domain/prices.ts';
import { callForCheckpoint, callToCancel } from '../store/job-calls.ts';
import type { LogPiece } from '../store/job-log.ts';
import { endOfLog, readLog, tailOfLog } from '../store/job-log.ts';
import type { JobEventRow, JobNow, JobPage, JobRow } from '../store/jobs.ts';
import { eventsOfJob, findJobs, listJobs, queueOf } from '../store/jobs.ts';
import type { MemberRow } from '../store/members.ts';
import { memberById } from '../store/members.ts';
import type { TaskRow } from '../store/tasks.ts';
import { findTask } from '../store/tasks.ts';
import type { Service } from './open.ts';

export type { JobEventRow, JobPage, JobRow, JobState, LogPiece };

export interface JobSeen {
  readonly row: JobNow;
  /** Undefined when it was removed since. */
  readonly member: MemberRow | undefined;
  /** 0 for the next one; null when it does not wait. */
  readonly queuePosition: number | null;
  readonly logTail: string;
  /** What its attempts cost so far, the one that runs to when it was last seen to, at the price of its machine now; null when no price is known. */
  readonly costUsd: number | null;
  readonly artifacts: readonly Artifact[];
  /** True when its machine was stopped after it, and not only asked to be. */
  readonly machineStopped: boolean;
}

export interface Artifact {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

const TAIL_BYTES = 4_096;
const HOUR_S = 3_600;

/** A job. Throws `JobNotFound`. */
export async function findJob({ postgres }: Service, tenant: string, id: string): Promise<JobNow> {
  const [row] = isJobId(id) ? await reaching(findJobs(postgres.db, tenant, [id])) : [];
  if (!row) throw new Failure('JobNotFound', { id });
  return row;
}

/** A job with all that is known of it. Throws `JobNotFound`. */
export async function getJob(service: Service, tenant: string, id: string): Promise<JobSeen> {
  const row = await findJob(service, tenant, id);
  const { db } = service.postgres;
  const [member, tail, queue] = await reaching(
    Promise.all([
      memberById(db, row.memberId),
      tailOfLog(db, id, TAIL_BYTES),
      row.state === 'queued' ? queueOf(db, row.memberId) : [],
    ]),
  );
  const place = queue.findIndex((waiting) => waiting.id === id);
  const price = member?.instanceType == null ? null : priceOf(member.instanceType, service.policy.prices);
  return {
    row,
    member,
    queuePosition: place < 0 ? null : place,
    logTail: tail.toString('utf8'),
    costUsd: price === null ? null : (price.usdPerHour * (row.ranBeforeS + ranSeconds(row.attempts))) / HOUR_S,
    artifacts: filesIn(await taskOf(service, row, row.artifactsTaskId)),
    machineStopped: (await taskOf(service, row, row.stopTaskId))?.status === 'COMPLETED',
  };
}

/** A page of jobs, newest first. */
export function getJobs({ postgres }: Service, tenant: string, page: JobPage) {
  return reaching(listJobs(postgres.db, tenant, page));
}

/** What happened to a job lately, oldest first. Throws `JobNotFound`. */
export async function getJobEvents(
  service: Service,
  tenant: string,
  id: string,
  limit: number,
): Promise<JobEventRow[]> {
  await findJob(service, tenant, id);
  return reaching(eventsOfJob(service.postgres.db, id, limit));
}

/** Asks a job to end: the mark counts, the signal is for one that waits. Throws `JobNotFound` and `JobEnded`. */
export async function cancelJob(service: Service, tenant: string, id: string, by: string): Promise<void> {
  await findJob(service, tenant, id);
  const marked = await reaching(service.postgres.transaction((db) => callToCancel(db, tenant, id, by)));
  if (!marked) throw new Failure('JobEnded', { id, state: (await findJob(service, tenant, id)).state });
  const { client, reach } = service.temporal;
  await reach(() => client.workflow.getHandle(id).signal('wake')).catch((error: unknown) => {
    // Its workflow has just ended, or was ended by hand: then `reconcile` closes the row.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}

/** Asks a running job for a checkpoint. Throws `JobNotFound`, `JobHasNoCheckpoint` and `JobNotRunning`. */
export async function requestCheckpoint(service: Service, tenant: string, id: string, by: string): Promise<void> {
  const { spec } = await findJob(service, tenant, id);
  const asks = spec.checkpoint !== null && (spec.checkpoint.signal !== null || spec.checkpoint.command !== null);
  if (!asks) throw new Failure('JobHasNoCheckpoint', { id });
  const marked = await reaching(service.postgres.transaction((db) => callForCheckpoint(db, tenant, id, by)));
  if (!marked) throw new Failure('JobNotRunning', { id, state: (await findJob(service, tenant, id)).state });
}

/** A piece of the log of a job that the caller has found, from an offset; undefined at its end. */
export function getLog(
  { postgres }: Service,
  id: string,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<LogPiece | undefined> {
  return reaching(readLog(postgres.db, id, offset, limit));
}

/** Where the kept log ends now, and whether nothing more will come. Throws `JobNotFound`. */
export async function getLogEnd(
  service: Service,
  tenant: string,
  id: string,
): Promise<{ readonly end: number; readonly over: boolean }> {
  // The state first: what is carried after it was read is found by the next look.
  const { state } = await findJob(service, tenant, id);
  return { end: await reaching(endOfLog(service.postgres.db, id)), over: isEnded(state) };
}

async function taskOf({ postgres }: Service, { tenant }: JobRow, id: string | null): Promise<TaskRow | undefined> {
  return id === null ? undefined : (await reaching(findTask(postgres.db, tenant, id)))?.row;
}

/** What the task that fetched them says of each. */
function filesIn(task: TaskRow | undefined): Artifact[] {
  const files = task?.result?.files;
  return (Array.isArray(files) ? files : []).flatMap((file: unknown) => {
    if (typeof file !== 'object' || file === null) return [];
    const [path, sha256, bytes]: unknown[] = ['path', 'sha256', 'size_bytes'].map((name) => Reflect.get(file, name));
    if (typeof path !== 'string' || typeof sha256 !== 'string' || typeof bytes !== 'number') return [];
    return [{ path, sha256, bytes }];
  });
}
