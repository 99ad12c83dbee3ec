// Putting jobs in order each minute: rows whose workflow is gone, folders that are kept long enough, logs that are too old.
import { WorkflowNotFoundError } from '@temporalio/client';
import { reaching } from '../clients/postgres.ts';
import { isOpen } from '../clients/temporal.ts';
import { Failure } from '../domain/failures.ts';
import { keepFindings } from '../store/findings.ts';
import { dropOldLogs } from '../store/job-log.ts';
import type { FolderDue, JobRow } from '../store/jobs.ts';
import { changeJob, foldersDue, markCleaned, quietJobs } from '../store/jobs.ts';
import { releaseLeases } from '../store/leases.ts';
import { callMember } from './call-member.ts';
import { heartbeating } from './heartbeating.ts';
import type { JobParts } from './job-machine.ts';
import { jobRow, lookAtJob } from './job-machine.ts';
import { parseCleaned } from './remote/exec.ts';
import { cleanJobs } from './remote/job.ts';

export interface JobUpkeepActivities {
  /** Closes rows of jobs whose workflow was ended without having said how. */
  closeLostJobs(): Promise<{ readonly lostJobs: number }>;
  /** Removes folders from machines that run; none is started for it. */
  cleanJobFolders(): Promise<{ readonly cleaned: number }>;
}

/** A watch looks every few seconds, so that nobody is asked about what is being looked after. */
const QUIET_MS = 120_000;
const ROWS_A_RUN = 200;
const MEMBERS_A_RUN = 20;
const LOOKS_A_CLEAN = 5;
const CALL_MS = 20_000;
const ANSWER_BYTES = 65_536;
/** A machine that could not be asked is left alone for so long. */
const AGAIN_MS = 10 * 60_000;

/** The activities for jobs of the `reconcile` workflow. */
export function jobUpkeepActivities(parts: JobParts): JobUpkeepActivities {
  const failedAt = new Map<string, number>();
  return {
    closeLostJobs: async () => {
      let lostJobs = 0;
      for (const job of await reaching(quietJobs(parts.postgres.db, QUIET_MS, ROWS_A_RUN))) {
        const state = await endedAs(parts, job);
        if (state !== undefined && (await closeLost(parts, job, state))) lostJobs += 1;
      }
      return { lostJobs };
    },
    cleanJobFolders: () =>
      heartbeating(async () => {
        const { postgres, policy } = parts;
        const { keepSuccessMs: successMs, keepOtherMs: otherMs, keepLogMs } = policy.jobs;
        await reaching(dropOldLogs(postgres.db, keepLogMs));
        let cleaned = 0;
        for (const due of await reaching(foldersDue(postgres.db, { successMs, otherMs, limit: MEMBERS_A_RUN }))) {
          if (Date.now() - (failedAt.get(due.memberId) ?? 0) < AGAIN_MS) continue;
          const removed = await clean(parts, due);
          if (removed === undefined) failedAt.set(due.memberId, Date.now());
          else cleaned += removed;
        }
        return { cleaned };
      }),
  };
}

/** How its workflow ended, in words; undefined while it runs. */
async function endedAs({ workflows }: JobParts, { id }: JobRow): Promise<string | undefined> {
  try {
    const description = await workflows.getHandle(id).describe();
    return isOpen(description) ? undefined : description.status.name.toLowerCase().replaceAll('_', ' ');
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'gone';
    throw error;
  }
}

async function closeLost({ postgres }: JobParts, job: JobRow, state: string): Promise<boolean> {
  const says = `Its workflow is ${state} without having said how it ended; what runs of it on the machine was not ended.`;
  return reaching(
    postgres.transaction(async (db) => {
      const closed = await changeJob(db, job, { state: 'failed', says, by: 'fermata/reconcile' });
      if (!closed) return false;
      await releaseLeases(db, job.id);
      await keepFindings(db, [{ kind: 'job_lost', subject: job.id, tenant: job.tenant, says: `${job.id}: ${says}` }]);
      return true;
    }),
  );
}

/** How many folders are gone; undefined when the machine could not be asked. */
async function clean(parts: JobParts, { memberId, due, longDue, open }: FolderDue): Promise<number | undefined> {
  const { keepSuccessMs, keepOtherMs } = parts.policy.jobs;
  const request = cleanJobs(parts.scripts.jobs, {
    successSeconds: Math.round(keepSuccessMs / 1000),
    otherSeconds: Math.round(keepOtherMs / 1000),
    keep: open,
  });
  try {
    const ran = await callMember(parts, memberId, { ...request, timeoutMs: CALL_MS, capBytes: ANSWER_BYTES });
    const report = parseCleaned(ran.stdout);
    if (report.state !== 'cleaned') return undefined;
    // A machine that counts a little differently, or on which something of the job lives, is asked again, for a day.
    const over = due.filter((id) => report.removed.includes(id) || longDue.includes(id));
    await reaching(markCleaned(parts.postgres.db, over));
    const left = due.filter((id) => !over.includes(id)).slice(0, LOOKS_A_CLEAN);
    await reaching(markCleaned(parts.postgres.db, await absentOf(parts, left)));
    return report.removed.length;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** Those of these jobs of which their machine has no folder. */
async function absentOf(parts: JobParts, ids: readonly string[]): Promise<string[]> {
  const absent: string[] = [];
  for (const id of ids) {
    if ((await lookAtJob(parts, await jobRow(parts, id))).job.state === 'absent') absent.push(id);
  }
  return absent;
}
