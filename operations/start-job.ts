// Starting a job on a member: the task ends when the job is accepted; its own workflow takes it from there.
import { z } from 'zod';
import { CHECKPOINT_SIGNALS, ON_FINISH, RESUME, isJobId, jobIdOf } from '../domain/job.ts';
import type { JobSpec } from '../domain/job.ts';
import { command, envName, folderOf, path, secretRef } from './commands.ts';
import { filePath } from './files.ts';
import { memberOf, memberRef, needsOf, startRule } from './member.ts';
import { changeOperation } from './operation.ts';

const DAY_S = 86_400;

const checkpoint = z
  .strictObject({
    /** A file, or a folder whose newest file counts. */
    path: path.optional(),
    /** Run beside the job; exit code 0 says that the checkpoint is there. */
    command: command.optional(),
    max_age_s: z
      .int()
      .min(1)
      .max(7 * DAY_S)
      .default(1_800),
    signal: z.enum(CHECKPOINT_SIGNALS).optional(),
    grace_s: z.int().min(1).max(3_000).default(60),
  })
  .refine((one) => one.path !== undefined || one.command !== undefined, {
    message: 'Input should have a path or a command, so that a checkpoint can be seen',
  });

const jobParams = z.strictObject({
  member: memberRef,
  command,
  restart_command: command.optional(),
  run_from: path.optional(),
  stdin: z.string().max(49_152).optional(),
  env: z.record(envName, z.string().max(8_192)).default({}),
  secrets: z.record(envName, secretRef).default({}),
  max_retries: z.int().min(0).max(10).default(3),
  /** Before the first retry; doubled before each other one, up to 10 minutes. */
  retry_backoff_s: z.int().min(0).max(600).default(5),
  no_retry_exit_codes: z.array(z.int().min(1).max(255)).max(50).default([]),
  resume: z.enum(RESUME).default('onInterruption'),
  /** For all attempts together; 0 for no limit. */
  timeout_s: z
    .int()
    .min(0)
    .max(90 * DAY_S)
    .default(0),
  silence_timeout_s: z
    .int()
    .min(0)
    .max(7 * DAY_S)
    .default(0),
  checkpoint: checkpoint.optional(),
  on_finish: z.enum(ON_FINISH).default('keep'),
  start: startRule,
  /** Alone among the jobs of its member. */
  exclusive: z.boolean().default(false),
  priority: z.int().min(-100).max(100).default(0),
  depends_on: z
    .array(z.string().refine(isJobId, { message: 'Input should be the id of a job' }))
    .max(100)
    .default([]),
  /** Files in the work folder, fetched when the job has completed. */
  artifacts: z.array(filePath).max(100).default([]),
  labels: z
    .record(z.string().min(1).max(64), z.string().max(256))
    .refine((labels) => Object.keys(labels).length <= 50, { message: 'Input should have at most 50 labels' })
    .default({}),
});

/** What a job is asked to be, where the path names its member. */
export const jobBody = jobParams.omit({ member: true });

function specOf(params: z.output<typeof jobParams>, workFolder: string): JobSpec {
  const { checkpoint: proof } = params;
  return {
    command: params.command,
    restartCommand: params.restart_command ?? null,
    stdin: params.stdin ?? null,
    cwd: folderOf(workFolder, params.run_from),
    env: params.env,
    secrets: params.secrets,
    maxRetries: params.max_retries,
    retryBackoffS: params.retry_backoff_s,
    noRetryExitCodes: params.no_retry_exit_codes,
    resume: params.resume,
    timeoutS: params.timeout_s,
    silenceS: params.silence_timeout_s,
    checkpoint: proof
      ? {
          path: proof.path ?? null,
          command: proof.command ?? null,
          signal: proof.signal ?? null,
          maxAgeS: proof.max_age_s,
          graceS: proof.grace_s,
        }
      : null,
    onFinish: params.on_finish,
    start: params.start,
    exclusive: params.exclusive,
    priority: params.priority,
    dependsOn: [...new Set(params.depends_on)],
    artifacts: params.artifacts,
    labels: params.labels,
  };
}

export const startJob = changeOperation({
  name: 'start_job',
  description: 'Start a long command on a member, watched to its end and resumed after interruptions',
  effect: 'change',
  params: jobParams,
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  plan: (params, [instance], context) => {
    const member = memberOf(context, params.member);
    const { id, target, settings } = member;
    // A machine that is gone runs no job; one that is stopped will, when it is its turn.
    needsOf(member, instance, 'if_stopped');
    const says = `start a job on ${settings.name}: ${params.command}`;
    return {
      steps: [
        {
          id: 'job',
          batch: 0,
          call: 'start_job',
          target,
          args: { member: id, spec: specOf(params, settings.workFolder) },
          saw: {},
          says,
          undo: { none: 'cancel the job' },
          estimatedSeconds: 2,
        },
      ],
      says: `${says}.`,
      costUsdPerHour: null,
      facts: { member: settings.name },
    };
  },
  result: (_, { taskId, facts }) => ({
    status: 'ACCEPTED',
    job_id: jobIdOf(taskId),
    member: facts.member ?? null,
    message: `Job '${jobIdOf(taskId)}' is accepted; it runs when ${String(facts.member)} has a free slot.`,
  }),
});
