// Making way for a stop: each job on the machine has to show a fresh checkpoint first, or the stop is refused.
import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import { LAUNCHED } from '../domain/job.ts';
import { spanText } from '../domain/span.ts';
import { giveWay } from '../store/job-calls.ts';
import type { JobRow } from '../store/jobs.ts';
import { slotHolders } from '../store/jobs.ts';
import { leasesOn } from '../store/leases.ts';
import { membersOnTargets } from '../store/members.ts';
import { heartbeating } from './heartbeating.ts';
import type { JobParts } from './job-machine.ts';
import { askJob, lookAtJob } from './job-machine.ts';
import { atEdge } from './members.ts';
import type { JobLook } from './remote/job-report.ts';

export interface YieldActivities {
  /**
   * Has the jobs on these targets give way to the stop of a task: true when they did. False when one of them is not
   * launched yet, or somebody else is in the way. Throws `CheckpointMissing`, unless a decision takes the loss.
   */
  yieldJobs(input: {
    readonly taskId: string;
    readonly targets: readonly string[];
    /** Jobs of which somebody decided that they may be cut off without one. */
    readonly forced: readonly string[];
  }): Promise<{ readonly yielded: boolean }>;
}

/** The activity behind stopping a machine on which jobs run. */
export function yieldActivities(parts: JobParts): YieldActivities {
  return {
    yieldJobs: atEdge((input) =>
      heartbeating(async () => {
        const { db } = parts.postgres;
        const members = await reaching(membersOnTargets(db, input.targets));
        const memberIds = members.map(({ id }) => id);
        const jobs = (await reaching(slotHolders(db, memberIds))).filter(({ state }) => LAUNCHED.includes(state));
        const held = await reaching(leasesOn(db, input.targets));
        // A proof would grow old while the stop waits for others, and a lease that a pause gives back is waited for.
        if (held.some(({ holder }) => jobs.every(({ id }) => id !== holder))) return { yielded: false };
        const proofs = await Promise.all(
          jobs.map(async (job) => ({ job, says: await proofOf(parts, job, input.forced.includes(job.id)) })),
        );
        await reaching(
          parts.postgres.transaction(async (tx) => {
            for (const { job, says } of proofs) {
              await giveWay(
                tx,
                job.id,
                input.taskId,
                `It gives way to the stop of its machine by task ${input.taskId}: ${says}`,
              );
            }
          }),
        );
        return { yielded: true };
      }),
    ),
  };
}

const LOOK_EVERY_MS = 1_000;
/** What was not written to for so long is whole. */
const WHOLE_S = 2;
const WRITING_MS = 10_000;
/** The machine judges; this is for the way there and back. */
const BESIDE_MS = 20_000;

/** What shows that a job can be cut off, in words. Throws `CheckpointMissing`. */
async function proofOf(parts: JobParts, job: JobRow, force: boolean): Promise<string> {
  try {
    return await prove(parts, job);
  } catch (error) {
    if (!(error instanceof Failure) || !force) throw error;
    return `forced, though ${error.message}`;
  }
}

async function prove(parts: JobParts, job: JobRow): Promise<string> {
  const { id, spec } = job;
  const missing = (why: string) => new Failure('CheckpointMissing', { why: `${id} ${why}` });
  const look = await lookAtJob(parts, job).catch((error: unknown) => {
    if (error instanceof Failure) throw missing(`cannot be looked at: ${error.message}.`);
    throw error;
  });
  if (!('commandAlive' in look.job) || (!look.job.commandAlive && look.job.state !== 'retrying')) {
    return 'its command does not run.';
  }
  if (!spec.checkpoint) throw missing('declares no checkpoint.');
  const { maxAgeS, signal, command } = spec.checkpoint;
  const fresh = freshness(await whole(parts, job, look), maxAgeS);
  if (fresh.ok) return fresh.says;
  if (signal === null && command === null) {
    throw missing(`${fresh.says}, and nothing says how to ask for one.`);
  }
  const asked = await askAndWait(parts, job, spec.checkpoint.graceS);
  if (asked === undefined) throw missing(`${fresh.says}, and none came when it was asked for one.`);
  // Whatever came after it was asked for is fresh.
  const made = freshness(asked, Infinity);
  if (!made.ok && spec.checkpoint.path !== null) throw missing(`was asked for a checkpoint, and ${made.says}.`);
  return made.ok ? made.says : 'its command says that its checkpoint is there.';
}

/** Empty ones are none. */
function freshness({ checkpoint }: JobLook, maxAgeS: number): { readonly ok: boolean; readonly says: string } {
  if (checkpoint === null) return { ok: false, says: 'has no path at which a checkpoint can be seen' };
  if (!checkpoint.exists || checkpoint.bytes === 0) return { ok: false, says: 'has no checkpoint' };
  const { ageSeconds, bytes } = checkpoint;
  if (ageSeconds < WHOLE_S) return { ok: false, says: 'is writing its checkpoint all the time' };
  const says = `its checkpoint of ${bytes} bytes is ${spanText(ageSeconds * 1000)} old`;
  return ageSeconds <= maxAgeS ? { ok: true, says } : { ok: false, says: `is not saved: ${says}` };
}

/** Looks again while the checkpoint may be half written. */
async function whole(parts: JobParts, job: JobRow, first: JobLook): Promise<JobLook> {
  const { cancellationSignal: signal } = Context.current();
  let look = first;
  for (const until = Date.now() + WRITING_MS; Date.now() < until; look = await lookAtJob(parts, job)) {
    if (look.checkpoint?.exists !== true || look.checkpoint.ageSeconds >= WHOLE_S) break;
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
  return look;
}

/** The look at which the checkpoint was there; undefined when none came in its time. */
async function askAndWait(parts: JobParts, job: JobRow, graceS: number): Promise<JobLook | undefined> {
  const { cancellationSignal: signal } = Context.current();
  await askJob(parts, job, 'checkpoint');
  for (const until = Date.now() + graceS * 1000 + BESIDE_MS; Date.now() < until;) {
    await pause(LOOK_EVERY_MS, undefined, { signal });
    const look = await lookAtJob(parts, job);
    const asked = 'asked' in look.job ? look.job.asked : null;
    if (asked?.outcome === 'done') return look;
    if (asked === null || asked.outcome !== 'pending') return undefined;
  }
  return undefined;
}
