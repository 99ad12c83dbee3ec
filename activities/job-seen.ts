// What a look at a job on its machine means: for its row, its state, and whether its launch has ended.
import { reaching } from '../clients/postgres.ts';
import type { JobAttempt, LaunchEnd } from '../domain/job.ts';
import { keptAttempts, mergedAttempts, withOpenAttempt } from '../domain/job.ts';
import type { JobNow, JobRow } from '../store/jobs.ts';
import { changeJob, keepJob } from '../store/jobs.ts';
import type { JobParts } from './job-machine.ts';
import type { JobLook, JobReport, JobStatus } from './remote/job-report.ts';

/** How the launch ended, by what its machine says; undefined while it goes on. */
export function endSeen(job: JobRow, report: JobReport): LaunchEnd | undefined {
  const stopped = job.yieldedTo !== null;
  switch (report.state) {
    case 'completed':
      return { kind: 'completed' };
    case 'failed':
      return { kind: 'failed', exitCode: report.exitCode, why: failureWords(report) };
    case 'cancelled':
      return { kind: 'cancelled' };
    case 'interrupted':
      return (
        neverCame(job, report) ?? { kind: 'interrupted', why: interruptionWords(job, report), begun: true, stopped }
      );
    case 'absent':
      return { kind: 'interrupted', why: 'Its machine has no trace of it.', begun: job.launch === 'begun', stopped };
    case 'mismatch':
      return { kind: 'failed', exitCode: null, why: 'Its folder on the machine is that of another job.' };
    case 'unknown':
      if (report.commandAlive) return undefined;
      return neverCame(job, report) ?? withoutRunner(job, report, stopped);
    case 'setup_failed':
    case 'busy':
    case 'superseded':
    case 'starting':
    case 'running':
    case 'retrying':
    case 'checkpointing':
      return undefined;
  }
}

/** The machine knows only of an earlier launch, and that was found interrupted before. */
function neverCame({ generation }: JobRow, report: JobStatus): LaunchEnd | undefined {
  if (report.generation >= generation) return undefined;
  return { kind: 'interrupted', why: 'Its launch did not come to its machine.', begun: false, stopped: false };
}

/** Nobody looked after the end of the command; what it wrote down itself counts. */
function withoutRunner(job: JobRow, { exitCode, attempt }: JobStatus, stopped: boolean): LaunchEnd {
  if (exitCode === 0) return { kind: 'completed' };
  const why = `Its runner was ended from outside${exitCode === null ? '' : `, its command ended with ${exitCode}`}.`;
  // Used up like a failure, because it may be the command that gets it killed, by all the memory that it takes.
  const used = job.retriesBefore + Math.max(1, attempt);
  return used > job.spec.maxRetries
    ? { kind: 'failed', exitCode, why: `${why} No retry is left.` }
    : { kind: 'interrupted', why, begun: true, stopped };
}

function failureWords({ exitCode, timedOut, attempt }: JobStatus): string {
  if (timedOut === 'total') return 'It took longer than its timeout_s.';
  const last = `attempt ${attempt} ended with exit code ${exitCode ?? 'unknown'}`;
  if (timedOut === 'silence') return `It printed nothing for its silence_timeout_s; ${last}.`;
  return `No retry is left, or none would help: ${last}.`;
}

function interruptionWords(job: JobRow, { bootId, signal }: JobStatus): string {
  if (job.bootId !== null && job.bootId !== bootId) return 'Its machine was booted again.';
  return signal === null ? 'Its machine was booted again.' : `Its runner was ended by ${signal}.`;
}

/**
 * What a report adds to the attempts of a job, and when the first of them began, which makes the next launch a
 * resumption. No launch needs to have been seen running for that: one may be over, or cut off, at the first look.
 */
export function attemptsSeen(job: JobNow, report: JobStatus): Pick<JobRow, 'attempts' | 'ranBeforeS' | 'startedAt'> {
  const open = openAttempt(job, report);
  const all = mergedAttempts(open ? withOpenAttempt(job.attempts, open) : job.attempts, report.attempts);
  const { kept: attempts, othersRanS } = keptAttempts(all);
  const began = attempts[0] && new Date(Math.max(Date.parse(attempts[0].startedAt), job.createdAt.getTime()));
  return { attempts, ranBeforeS: job.ranBeforeS + othersRanS, startedAt: job.startedAt ?? began ?? null };
}

/** The attempt that runs, or that was cut off with its runner: a report has only the ends that a runner saw. */
function openAttempt({ now }: JobNow, report: JobStatus): JobAttempt | undefined {
  const { generation, attempt, attempts, updatedAt: startedAt, heartbeatAgeSeconds: ageS } = report;
  if (attempt === 0) return undefined;
  if (attempts.some((one) => one.generation === generation && one.attempt === attempt)) return undefined;
  const aliveMs = report.commandAlive ? now.getTime() : ageS === null ? 0 : now.getTime() - ageS * 1000;
  const endedAt = new Date(Math.max(aliveMs, Date.parse(startedAt))).toISOString();
  return { generation, attempt, exitCode: report.state === 'unknown' ? report.exitCode : null, startedAt, endedAt };
}

/** Keeps what was seen, and notes when the job came to another state by it. */
export async function keepSeen(parts: JobParts, job: JobNow, look: JobLook, held: string | undefined): Promise<void> {
  const { db } = parts.postgres;
  const { job: report, checkpoint } = look;
  const seenAt = (ageS: number) => new Date(job.now.getTime() - ageS * 1000);
  const status = 'attempts' in report ? report : undefined;
  // The tries of an earlier launch are counted already.
  const latest = status !== undefined && status.generation >= job.generation;
  await reaching(
    keepJob(db, job.id, {
      lookedAt: job.now,
      ...('bootId' in report && { bootId: report.bootId }),
      ...(checkpoint?.exists === true && {
        checkpointAt: seenAt(checkpoint.ageSeconds),
        checkpointBytes: checkpoint.bytes,
      }),
      ...(status && {
        generation: Math.max(job.generation, status.generation),
        ...(latest && { attempt: status.attempt, launch: 'begun' as const }),
        ...attemptsSeen(job, status),
        commandAlive: status.commandAlive,
        exitCode: status.exitCode ?? job.exitCode,
        logBytes: job.logBase + status.logSize,
        ...(status.heartbeatAgeSeconds !== null && { heartbeatAt: seenAt(status.heartbeatAgeSeconds) }),
        ...(latest && status.state === 'unknown' && !status.commandAlive && { runnerLost: true }),
      }),
      sights: {
        spot_notice: look.spotNotice,
        gpu_orphans: look.gpuOrphans.map(({ pid, mib, process }) => ({ pid, mib, process })),
        gpu_held_mib: look.gpuHeldMib,
        disk_free_bytes: look.diskFreeBytes,
        checkpoint_asked: status?.asked ? { at: status.asked.at, outcome: status.asked.outcome } : null,
        checkpoint_said: look.checkpointSaid && {
          exit_code: look.checkpointSaid.exitCode,
        },
        log_held: held ?? null,
      },
    }),
  );
  const change = status && changeBy(job, status, look);
  if (change) await reaching(changeJob(db, job, change));
}

function changeBy(job: JobNow, status: JobStatus, { gpuOrphans, gpuHeldMib }: JobLook) {
  // A machine that answers again takes back the words that it does not.
  const told = job.state === status.state && !job.reason?.startsWith(UNREACHABLE);
  const same = job.attempt === status.attempt || status.generation < job.generation;
  switch (status.state) {
    case 'running':
      if (told && same) return undefined;
      if (status.attempt === 0) return undefined;
      return { state: 'running' as const, says: runningWords(job, status) };
    case 'retrying': {
      if (told && same) return undefined;
      const held = gpuOrphans.length > 0 ? ` ${gpuHeldMib ?? '?'} MiB of GPU memory are still held.` : '';
      const says = `Attempt ${status.attempt} ended with exit code ${status.exitCode ?? 'unknown'}; it will be tried again.${held}`;
      return { state: 'retrying' as const, says, detail: { exit_code: status.exitCode } };
    }
    case 'checkpointing':
      return told ? undefined : { state: 'checkpointing' as const, says: 'It was asked for a checkpoint.' };
    case 'unknown':
      if (!status.commandAlive || (job.state === 'running' && job.reason === ORPHANED)) return undefined;
      // Also where nobody saw it run before: what is not running shows no checkpoint, and keeps every stop out.
      return { state: 'running' as const, says: ORPHANED };
    default:
      return undefined;
  }
}

/** How the reason begins of a job whose machine was lost from sight. */
export const UNREACHABLE = 'Its machine does not answer';
const ORPHANED = 'Its runner was ended from outside; its command runs on, and nobody would try it again.';

function runningWords(job: JobNow, { attempt, generation, asked }: JobStatus): string {
  if (job.state === 'checkpointing') {
    if (asked?.outcome === 'done') return 'Its checkpoint is there.';
    if (asked?.outcome === 'unknown') return 'It was asked for a checkpoint; nothing can tell whether it made one.';
    return 'No checkpoint came in its time.';
  }
  return generation > 1 ? `It runs: launch ${generation}, attempt ${attempt}.` : `It runs: attempt ${attempt}.`;
}
