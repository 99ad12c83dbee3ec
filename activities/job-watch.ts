// Watching one launch of a job: looks at it now and then, keeps what it sees, does what is asked of it, and returns its end.
import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { reaching } from '../clients/postgres.ts';
import type { LaunchInput, LaunchSeen } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { LaunchEnd } from '../domain/job.ts';
import { isTerminal } from '../domain/task.ts';
import { endOfLog } from '../store/job-log.ts';
import { takeLeases } from '../store/leases.ts';
import type { JobNow } from '../store/jobs.ts';
import { changeJob, keepJob, noteJob } from '../store/jobs.ts';
import { findTask } from '../store/tasks.ts';
import type { LogShipper } from './job-log.ts';
import { openShipper } from './job-log.ts';
import type { JobParts } from './job-machine.ts';
import { askJob, endOfMachine, jobRow, lookAtJob } from './job-machine.ts';
import { endSeen, keepSeen, UNREACHABLE } from './job-seen.ts';
import { instanceOfMember, keepLook, memberRow } from './member-access.ts';
import { getReady } from './members.ts';
import { forgetGiven } from './sent-secrets.ts';

/** Less than Temporal gives the activity. */
const WATCH_MS = 50 * 60_000;
/** What changes is looked at soon again, what runs and runs more and more seldom. */
const SOON_MS = 1_000;
const SELDOM_MS = 15_000;
const LIVELY_MS = 30_000;
const LOOK_MS = 15_000;
const LOOK_SOON_MS = 3_000;
/** Whoever cancels a job on a machine that is dead wants its slot back. */
const GIVE_UP_MS = 10 * 60_000;

/** Returns how the launch ended, or that it still runs when this watch is over. */
export async function watchLaunch(parts: JobParts, { jobId, generation }: LaunchInput): Promise<LaunchSeen> {
  const { cancellationSignal: signal } = Context.current();
  const shipper = openShipper(parts);
  let failures = 0;
  for (const until = Date.now() + WATCH_MS; Date.now() < until;) {
    signal.throwIfAborted();
    const job = await jobRow(parts, jobId);
    const round = await lookOnce(parts, job, shipper).catch(async (error: unknown) => {
      const end = await endOfMachine(parts, job, error);
      if (end) return { end, pauseMs: 0 };
      failures += 1;
      await noteUnreachable(parts, job, error, failures);
      return undefined;
    });
    if (round) failures = 0;
    if (job.cancelRequestedAt !== null && failures >= NOTE_AFTER && unseenMs(job) > GIVE_UP_MS) {
      const says = 'Its machine does not answer, so what runs of it there was not ended.';
      await reaching(noteJob(parts.postgres.db, job, { says }));
      return { kind: 'cancelled' };
    }
    if (round?.end) return finished(parts, job, round.end);
    const awayMs = Math.min(SELDOM_MS, SOON_MS * 2 ** Math.min(failures, 4));
    await parts.calls.untilCalled(jobId, round?.pauseMs ?? awayMs, signal);
  }
  return { kind: 'running', generation };
}

/** A machine that is off cannot end a job either: whoever wanted it ended has what they want. */
function finished(parts: JobParts, job: JobNow, end: LaunchEnd): LaunchEnd {
  if (end.kind === 'interrupted' && job.cancelRequestedAt !== null) return { kind: 'cancelled' };
  if (end.kind !== 'interrupted') forgetGiven(job.id);
  return end;
}

/** Since its machine last answered, whoever asked it. */
function unseenMs({ now, lookedAt, createdAt }: JobNow): number {
  return now.getTime() - (lookedAt ?? createdAt).getTime();
}

function pauseOf({ now, updatedAt }: JobNow): number {
  return now.getTime() - updatedAt.getTime() < LIVELY_MS ? SOON_MS : SELDOM_MS;
}

interface Round {
  readonly end: LaunchEnd | undefined;
  /** How long to the next look. */
  readonly pauseMs: number;
}

async function lookOnce(parts: JobParts, job: JobNow, shipper: LogShipper): Promise<Round> {
  if (job.cancelRequestedAt !== null) await askJob(parts, job, 'cancel');
  else if (wantsCheckpoint(job)) await askJob(parts, job, 'checkpoint');
  const look = await lookAtJob(parts, job);
  if (look.spotNotice !== null && look.spotNotice !== job.sights.spot_notice) {
    await noteNotice(parts, job, look.spotNotice);
  }
  const end = endSeen(job, look.job);
  const grown = 'logSize' in look.job && job.logBase + look.job.logSize > (await endOfLog(parts.postgres.db, job.id));
  const shipped = grown || end ? await shipper.ship(job, end !== undefined) : { more: false };
  await keepSeen(parts, job, look, 'held' in shipped ? shipped.held : undefined);
  // All of the log is carried before the end is known: nobody will look again.
  if (shipped.more) return { end: undefined, pauseMs: 0 };
  if (end) return { end, pauseMs: 0 };
  if (job.yieldedTo !== null) await takeBack(parts, job);
  const soon = look.job.state === 'checkpointing' || job.yieldedTo !== null || job.cancelRequestedAt !== null;
  return { end: undefined, pauseMs: soon ? SOON_MS : pauseOf(job) };
}

function wantsCheckpoint({ checkpointRequestedAt: asked, lookedAt }: JobNow): boolean {
  return asked !== null && (lookedAt === null || asked > lookedAt);
}

/** The cloud takes the machine away in a moment: what can be saved is saved now. */
async function noteNotice(parts: JobParts, job: JobNow, notice: string): Promise<void> {
  const asks = job.spec.checkpoint !== null;
  const says = `The cloud will take its machine away: ${notice}${asks ? '; it is asked for a checkpoint' : ''}`;
  await reaching(noteJob(parts.postgres.db, job, { says, detail: { spot_notice: notice } }));
  if (asks) await askJob(parts, job, 'checkpoint');
}

/** The stop that it gave way to is over, and its machine runs: it holds it again, as soon as nobody has it alone. */
async function takeBack(parts: JobParts, job: JobNow): Promise<void> {
  if (await isBeingStopped(parts, job)) return;
  const { target } = await memberRow(parts, job.memberId);
  const taken = await reaching(
    parts.postgres.transaction(async (tx) => {
      const wish = [{ target, mode: 'shared' as const }];
      if ((await takeLeases(tx, wish, { holder: job.id, runId: job.runId, now: job.now })) !== undefined) return false;
      await keepJob(tx, job.id, { yieldedTo: null });
      await noteJob(tx, job, { says: 'Its machine was not stopped after all; it holds it again.' });
      return true;
    }),
  );
  if (!taken) return;
  // What ready steps brought may have been taken back for the stop.
  await getReady(parts, { memberId: job.memberId, asker: job.id, start: false }).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
  });
}

const NOTE_AFTER = 3;

/** Said once for each time that it cannot be reached, and not for a link that was merely cut. */
async function noteUnreachable(parts: JobParts, job: JobNow, error: unknown, failures: number): Promise<void> {
  if (failures !== NOTE_AFTER) return;
  const why = error instanceof Error ? error.message : String(error);
  const says = `${UNREACHABLE}, so it is not known how it is: ${why}`;
  await reaching(changeJob(parts.postgres.db, job, { state: job.state, says }));
}

/** Waits until the machine of a job runs, or the job is asked to end; false when neither came in the time of a watch. */
export async function awaitMachine(parts: JobParts, jobId: string): Promise<boolean> {
  const { cancellationSignal: signal } = Context.current();
  // The sweep sees each machine once a minute; whoever stopped one may start it again sooner.
  let lookAfterMs = LOOK_SOON_MS;
  let dueAt = 0;
  for (const until = Date.now() + WATCH_MS; Date.now() < until;) {
    const job = await jobRow(parts, jobId);
    if (job.cancelRequestedAt !== null) return true;
    if (!(await isBeingStopped(parts, job))) {
      const due = Date.now() >= dueAt;
      if (await runs(parts, job.memberId, due)) return true;
      if (due) {
        dueAt = Date.now() + lookAfterMs;
        lookAfterMs *= 2;
      }
    }
    await pause(2_000, undefined, { signal });
  }
  return false;
}

async function isBeingStopped({ postgres }: JobParts, { tenant, yieldedTo }: JobNow): Promise<boolean> {
  if (yieldedTo === null) return false;
  const task = await reaching(findTask(postgres.db, tenant, yieldedTo));
  return task !== undefined && !isTerminal(task.row.status);
}

/** By a look at the cloud: when one is due, or the store says so, which may be too old. One that is gone is not waited for. */
async function runs(parts: JobParts, memberId: string, looks: boolean): Promise<boolean> {
  try {
    const row = await memberRow(parts, memberId);
    if (!row.settings.cloud) return true;
    if (!looks && row.state !== 'running') return false;
    const instance = await instanceOfMember(parts, row.settings, AbortSignal.timeout(LOOK_MS));
    // Kept, so that the store says so only once.
    if (instance) await keepLook(parts, row, instance);
    return instance === undefined || ['running', 'shutting-down', 'terminated'].includes(instance.state);
  } catch (error) {
    if (error instanceof Failure) return error.type === 'MemberNotFound';
    if (error instanceof Error && error.name === 'TimeoutError') return false;
    throw error;
  }
}
