// What the workflow of a job does outside: its row, its slot, its launches, its end.
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { reaching } from '../clients/postgres.ts';
import type { AfterJob, JobEnd, LaunchInput, LaunchSeen, NewJobInput } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import { stopsAfter } from '../domain/job.ts';
import type { Admission } from '../store/job-slots.ts';
import { admitJob, lockSlots } from '../store/job-slots.ts';
import { callToCancel } from '../store/job-calls.ts';
import { changeJob, dependentsOf, insertJob, jobById, keepJob, noteJob, queueOf, slotHolders } from '../store/jobs.ts';
import { dropLeases, releaseLeases } from '../store/leases.ts';
import { memberById } from '../store/members.ts';
import { heartbeating } from './heartbeating.ts';
import { startLaunch } from './job-launch.ts';
import type { JobParts } from './job-machine.ts';
import { jobRow } from './job-machine.ts';
import { awaitMachine, watchLaunch } from './job-watch.ts';
import { atEdge } from './members.ts';

export interface JobActivities {
  registerJob(job: NewJobInput): Promise<void>;
  /** Gives it a slot and the shared use of its machine, when both are to be had. */
  admitToSlot(input: { readonly jobId: string; readonly runId: string }): Promise<Admission>;
  /** Notes why it does not go on, and gives back its machine: a stop may come before the next try. */
  noteOfJob(input: {
    readonly jobId: string;
    readonly says: string;
    readonly state: 'interrupted' | 'starting';
  }): Promise<void>;
  startLaunch(input: LaunchInput): Promise<LaunchSeen>;
  /** Returns when the launch has ended, or that it runs when one watch is over. */
  watchJob(input: LaunchInput): Promise<LaunchSeen>;
  /** Returns true when its machine runs, or it was asked to end. */
  awaitJobMachine(input: { readonly jobId: string }): Promise<boolean>;
  /** Asks it to end, for whoever cancelled its workflow. */
  cancelJob(input: { readonly jobId: string; readonly by: string }): Promise<void>;
  noteArtifacts(input: { readonly jobId: string; readonly taskId: string; readonly says: string }): Promise<void>;
  /** Keeps the end, gives back slot and machine, wakes who waits for them, and says what is to be done then. */
  endJob(input: { readonly jobId: string; readonly end: JobEnd }): Promise<{ readonly after: AfterJob | null }>;
}

/** A worker that watches many jobs beats for each of them. */
const BEAT_MS = 8_000;

/** The activities of `runJob`. */
export function jobActivities(parts: JobParts): JobActivities {
  const { postgres } = parts;
  return {
    registerJob: (job) => reaching(insertJob(postgres.db, job)),
    admitToSlot: ({ jobId, runId }) =>
      reaching(
        postgres.transaction(async (db) => {
          const admission = await admitJob(db, jobId, runId);
          if (admission.kind === 'waits') await keepJob(db, jobId, { reason: admission.says });
          return admission;
        }),
      ),
    noteOfJob: async ({ jobId, says, state }) => {
      const job = await jobRow(parts, jobId);
      await reaching(
        postgres.transaction(async (db) => {
          if (job.state !== state || job.reason !== says) await changeJob(db, job, { state, says });
          await dropLeases(db, jobId);
        }),
      );
    },
    startLaunch: atEdge((input) => heartbeating(() => startLaunch(parts, input))),
    watchJob: atEdge((input) => heartbeating(() => watchLaunch(parts, input), BEAT_MS)),
    awaitJobMachine: atEdge(({ jobId }) => heartbeating(() => awaitMachine(parts, jobId), BEAT_MS)),
    cancelJob: async ({ jobId, by }) => {
      const job = await jobRow(parts, jobId);
      await reaching(callToCancel(postgres.db, job.tenant, jobId, by));
    },
    noteArtifacts: async ({ jobId, taskId, says }) => {
      const job = await jobRow(parts, jobId);
      await reaching(keepJob(postgres.db, jobId, { artifactsTaskId: taskId }));
      await reaching(noteJob(postgres.db, job, { says, detail: { task_id: taskId } }));
    },
    endJob: ({ jobId, end }) => endJob(parts, jobId, end),
  };
}

async function endJob(parts: JobParts, jobId: string, end: JobEnd): Promise<{ readonly after: AfterJob | null }> {
  const { postgres } = parts;
  const ended = await reaching(
    postgres.transaction(async (db) => {
      const job = await jobById(db, jobId);
      if (!job) throw new Failure('JobNotFound', { id: jobId });
      // Two that end at once: the second one sees that the first has, and stops the machine.
      await lockSlots(db, job.memberId);
      const { state, why: says, exitCode } = end;
      const first = await changeJob(db, job, { state, says, ...(exitCode !== null && { exitCode }) });
      await releaseLeases(db, jobId);
      const member = await memberById(db, job.memberId);
      const others = [...(await slotHolders(db, [job.memberId])), ...(await queueOf(db, job.memberId))];
      // One that never came to its machine has nothing to do with it.
      const used = first && job.generation > 0;
      const stops = used && member?.settings.cloud != null && others.every(({ id }) => id === jobId);
      const wanted = stops && stopsAfter(job.spec.onFinish, state) ? randomUUID() : null;
      if (wanted !== null) await keepJob(db, jobId, { stopTaskId: wanted });
      return { job, member, stopTaskId: first ? wanted : job.stopTaskId };
    }),
  );
  await wakeNext(parts, ended.job.memberId, jobId);
  const { job, member, stopTaskId } = ended;
  if (stopTaskId === null || !member?.settings.cloud) return { after: null };
  const input = {
    operation: 'stop_instance',
    resource: member.settings.name,
    params: { instance_id: member.settings.cloud.instanceId, spare_jobs: true },
    tenant: job.tenant,
    requestedBy: 'policy/on_finish',
    submittedAt: new Date().toISOString(),
    withoutWaiting: true,
  };
  return { after: { taskId: stopTaskId, input } };
}

/** Whoever waits for a slot, or for this job. A word that is lost costs a few minutes. */
async function wakeNext({ postgres, workflows }: JobParts, memberId: string, jobId: string): Promise<void> {
  const queue = await reaching(queueOf(postgres.db, memberId));
  const dependents = await reaching(dependentsOf(postgres.db, jobId));
  const ids = new Set([...queue.slice(0, WOKEN).map(({ id }) => id), ...dependents]);
  for (const id of ids) {
    await workflows
      .getHandle(id)
      .signal('wake')
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      });
  }
}

/** More slots than this are not given back at once. */
const WOKEN = 20;
