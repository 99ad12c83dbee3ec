// Beginning a launch of a job on its machine, once: what may have been begun by an earlier call is looked for there first.
import { reaching } from '../clients/postgres.ts';
import type { LaunchInput, LaunchSeen } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import { isDoubted, mayFollow, NOT_SENT } from '../domain/job-launch.ts';
import { endOfLog } from '../store/job-log.ts';
import type { JobNow, JobRow } from '../store/jobs.ts';
import { keepJob } from '../store/jobs.ts';
import type { JobParts } from './job-machine.ts';
import { endOfMachine, jobRow, launchOnMachine, lookAtJob } from './job-machine.ts';
import { attemptsSeen } from './job-seen.ts';
import type { JobReport } from './remote/job-report.ts';

/** Claims the next launch in the store, then begins it on the machine; each try after a lost one finds both done. */
export async function startLaunch(parts: JobParts, { jobId, generation: wanted }: LaunchInput): Promise<LaunchSeen> {
  const job = await jobRow(parts, jobId);
  const doubted = isDoubted(job, wanted);
  const asItIs = { kind: 'running' as const, generation: job.generation };
  // What may run is ended by whoever watches it.
  if (job.cancelRequestedAt !== null) return doubted ? asItIs : { kind: 'cancelled' };
  try {
    const before = job.generation > 0 ? (await lookAtJob(parts, job)).job : undefined;
    const there = before && 'attempts' in before ? before : undefined;
    if (there && !mayFollow(wanted, job, there)) return await takeBack(parts, job, there.generation);
    // The machine takes no number but the one after its own.
    const generation = there ? there.generation + 1 : wanted;
    await claim(parts, job, generation, before);
    const report = await launchOnMachine(parts, await jobRow(parts, jobId), generation);
    return await seenOf(parts, job, { generation, mayWork: doubted || wanted > 1, doubted }, report);
  } catch (error) {
    if (error instanceof Failure && NOT_SENT.includes(error.type)) {
      if (doubted) return asItIs;
      await wasNotSent(parts, jobId);
      throw error;
    }
    const end = await endOfMachine(parts, job, error);
    // The same number is asked for again: only the machine knows whether it was begun.
    if (end) return end.kind === 'interrupted' ? { ...end, begun: false } : end;
    throw error;
  }
}

async function claim(parts: JobParts, job: JobNow, generation: number, before: JobReport | undefined): Promise<void> {
  const { db } = parts.postgres;
  if (before?.state === 'absent') await reaching(keepJob(db, job.id, { logBase: await endOfLog(db, job.id) }));
  if (job.generation === generation) return;
  await reaching(
    keepJob(db, job.id, {
      generation,
      launch: 'claimed',
      attempt: 0,
      runnerLost: false,
      ...(before && 'attempts' in before && attemptsSeen(job, before)),
      retriesBefore: job.retriesBefore + Math.max(0, job.attempt - 1) + (job.runnerLost ? 1 : 0),
    }),
  );
}

/** One that was thought to have ended is the one to watch: the row is again as it was before another one was claimed. */
async function takeBack(
  { postgres }: JobParts,
  { id }: JobRow,
  generation: number,
  as: Partial<Pick<JobRow, 'attempt' | 'retriesBefore'>> = {},
): Promise<LaunchSeen> {
  await reaching(keepJob(postgres.db, id, { ...as, generation, launch: 'begun', runnerLost: false }));
  return { kind: 'running', generation };
}

async function wasNotSent(parts: JobParts, jobId: string): Promise<void> {
  const { launch } = await jobRow(parts, jobId);
  if (launch === 'sent') await reaching(keepJob(parts.postgres.db, jobId, { launch: 'claimed' }));
}

interface Try {
  readonly generation: number;
  readonly doubted: boolean;
  /** What ran there before may run again, once a disk is mounted or has room. */
  readonly mayWork: boolean;
}

async function seenOf(parts: JobParts, job: JobNow, launch: Try, report: JobReport): Promise<LaunchSeen> {
  const { generation, doubted, mayWork } = launch;
  switch (report.state) {
    case 'setup_failed': {
      const why = `Its machine could not begin it: ${report.why}`;
      if (!doubted) await wasNotSent(parts, job.id);
      if (mayWork) return { kind: 'interrupted', why, begun: false, stopped: false };
      return { kind: 'failed', exitCode: null, why };
    }
    case 'mismatch':
      return { kind: 'failed', exitCode: null, why: 'Its folder on the machine is that of another job.' };
    case 'absent':
      throw new Failure('RemoteGarbled', { why: 'it knows nothing of what it has just begun' });
    case 'busy':
    case 'superseded': {
      const { attempt, retriesBefore } = job;
      const claimed = job.generation !== generation && report.state === 'busy';
      return takeBack(parts, job, report.generation, claimed ? { attempt, retriesBefore } : {});
    }
    default:
      if (report.generation >= generation) await reaching(keepJob(parts.postgres.db, job.id, { launch: 'begun' }));
      return { kind: 'running', generation };
  }
}
