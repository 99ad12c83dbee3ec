// A job on its machine: what is sent for it, and where the machine is when it does not answer.
import { createHash } from 'node:crypto';
import type { WorkflowClient } from '@temporalio/client';
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import type { LaunchEnd } from '../domain/job.ts';
import { ranSeconds } from '../domain/job.ts';
import { canonical } from '../domain/plan.ts';
import type { Policy } from '../domain/policy.ts';
import type { JobNow, JobRow } from '../store/jobs.ts';
import { jobById, keepJob } from '../store/jobs.ts';
import { awayOf } from './away.ts';
import { callMember } from './call-member.ts';
import type { JobCalls } from './job-calls.ts';
import { memberRow } from './member-access.ts';
import { secretsOn } from './member-secrets.ts';
import type { JobAsk, JobLaunch, JobRef } from './remote/job.ts';
import { launchJob, logJob, lookJob, signalJob } from './remote/job.ts';
import type { JobLog, JobLook, JobReport } from './remote/job-report.ts';
import { parseJob, parseLog, parseLook } from './remote/job-report.ts';
import type { RemoteCall } from './remote/wire.ts';
import type { RemoteParts } from './remote-parts.ts';
import { marksWith } from './secret-marks.ts';
import { readSecrets, rememberGiven, rememberLaunch } from './sent-secrets.ts';

export interface JobParts extends RemoteParts {
  readonly policy: Policy;
  readonly workflows: WorkflowClient;
  readonly taskQueue: string;
  readonly calls: JobCalls;
}

const CALL_MS = 20_000;
const REPORT_BYTES = 262_144;
/** Beside a piece of the log stands a short report. */
const BESIDE_BYTES = 4_096;
/** Of the nine files of a log, each. */
const LOG_FILE_BYTES = 16 * 1_048_576;
const BACKOFF_CAP_S = 600;

/** The row of a job. A workflow registers its job before anything else, so there is one. */
export async function jobRow({ postgres }: Pick<JobParts, 'postgres'>, id: string): Promise<JobNow> {
  const row = await reaching(jobById(postgres.db, id));
  if (!row) throw new Failure('JobNotFound', { id });
  return row;
}

function refOf({ id, spec }: JobRow): JobRef {
  return { id, digest: createHash('sha256').update(canonical(spec)).digest('hex') };
}

async function call(parts: JobParts, { memberId }: JobRow, remote: RemoteCall): Promise<string> {
  const ran = await callMember(parts, memberId, { ...remote, timeoutMs: CALL_MS, capBytes: REPORT_BYTES });
  if (ran.code !== 0) throw new Failure('SshUnreachable', { host: memberId, why: ran.lost ?? ran.stderr });
  return ran.stdout;
}

/** What became of it, and what its machine shows. */
export async function lookAtJob(parts: JobParts, job: JobRow): Promise<JobLook> {
  return parseLook(await call(parts, job, lookJob(parts.scripts.jobs, { ...refOf(job), logBytes: 0 })));
}

/** Asks it for a checkpoint, or ends it. */
export async function askJob(parts: JobParts, job: JobRow, what: JobAsk): Promise<JobReport> {
  return parseJob(await call(parts, job, signalJob(parts.scripts.jobs, { ...refOf(job), what })));
}

/** Begins a generation, or finds what became of it. Nothing is begun twice: the folder on the machine is the claim. */
export async function launchOnMachine(parts: JobParts, job: JobRow, generation: number): Promise<JobReport> {
  const { spec } = job;
  const secretEnv = await readSecrets(parts, spec.secrets);
  const secretMarks = await marksWith(job.secretMarks, spec.secrets, secretEnv);
  await reaching(keepJob(parts.postgres.db, job.id, { secretMarks }));
  const ranS = job.ranBeforeS + ranSeconds(job.attempts);
  // The command finds what ready steps brought before it, too.
  const there = await secretsOn(parts, await memberRow(parts, job.memberId), 'leave');
  rememberGiven(job.id, [...Object.values(secretEnv), ...there.values]);
  const launch: JobLaunch = {
    ...refOf(job),
    generation,
    resume: job.startedAt !== null,
    command: spec.command,
    ...(spec.restartCommand !== null && { restartCommand: spec.restartCommand }),
    cwd: spec.cwd,
    env: spec.env,
    secretEnv,
    ...(spec.stdin !== null && { stdin: Buffer.from(spec.stdin) }),
    maxRetries: Math.max(0, spec.maxRetries - job.retriesBefore),
    backoffSeconds: spec.retryBackoffS,
    backoffCapSeconds: BACKOFF_CAP_S,
    noRetryExitCodes: spec.noRetryExitCodes,
    timeoutSeconds: spec.timeoutS === 0 ? 0 : Math.max(1, Math.round(spec.timeoutS - ranS)),
    silenceSeconds: spec.silenceS,
    logCapBytes: LOG_FILE_BYTES,
    ...(spec.checkpoint && {
      checkpoint: {
        ...(spec.checkpoint.signal !== null && { signal: spec.checkpoint.signal }),
        ...(spec.checkpoint.command !== null && { command: spec.checkpoint.command }),
        ...(spec.checkpoint.path !== null && { path: spec.checkpoint.path }),
        graceSeconds: spec.checkpoint.graceS,
      },
    }),
  };
  const remote = launchJob(parts.scripts.jobs, launch);
  // Whatever becomes of the answer, it may be begun from here on.
  if (job.launch === 'claimed') await reaching(keepJob(parts.postgres.db, job.id, { launch: 'sent' }));
  const report = parseJob(await call(parts, job, remote));
  // Where another call was first, it may be that of another worker, which sent other values.
  if ('launched' in report && report.launched && there.complete) rememberLaunch(job.id, generation);
  return report;
}

/** A piece of its log, from an offset on its machine; null when the machine has none. */
export async function logOnMachine(
  parts: JobParts,
  { id, memberId }: JobRow,
  offset: number,
  maxBytes: number,
): Promise<JobLog | null> {
  const chunks: Uint8Array[] = [];
  const ran = await callMember(parts, memberId, {
    ...logJob(parts.scripts.jobs, { id, offset, maxBytes }),
    timeoutMs: CALL_MS,
    capBytes: BESIDE_BYTES,
    onStdout: (chunk) => void chunks.push(chunk),
  });
  // What has come of a piece is good; a report that was cut is not.
  if (ran.code !== 0 && chunks.length === 0) {
    throw new Failure('SshUnreachable', { host: memberId, why: ran.lost ?? ran.stderr });
  }
  return parseLog(Buffer.concat(chunks));
}

/**
 * What a failure to reach the machine of a job means: its end, when the cloud shows that the machine is off or gone.
 * Undefined when it may answer again. Throws what is no failure to reach it.
 */
export async function endOfMachine(parts: JobParts, job: JobRow, error: unknown): Promise<LaunchEnd | undefined> {
  const away = await awayOf(parts, job.memberId, error);
  if (!away) return undefined;
  const { gone, why } = away;
  if (gone) return { kind: 'lost', why };
  return { kind: 'interrupted', why, begun: job.launch === 'begun', stopped: job.yieldedTo !== null };
}
