// The queries and answers of jobs, as schemas.
import { z } from 'zod';
import { JOB_STATES, ON_FINISH, RESUME } from '../domain/job.ts';
import { isTime, unstorable } from '../domain/text.ts';

const time = z.string().refine(isTime, { message: 'Input should be a time such as 2026-01-31T12:00:00Z' });
const named = z
  .string()
  .min(1)
  .max(64)
  .refine((text) => !unstorable(text), { message: 'Input should be text that can be stored' });

export const jobListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  cursor: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
  member: named.optional(),
  state: z.enum(JOB_STATES).optional(),
  created_from: time.optional(),
  created_to: time.optional(),
});

export const jobLogQuery = z.object({
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce.number().int().min(1).max(1_048_576).default(65_536),
  follow: z.enum(['0', '1']).default('0'),
});

export const jobEventsQuery = z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(200) });

const isoTime = z.iso.datetime().nullable();
const ageS = z.number().nullable().meta({ description: 'Seconds' });

export const jobItem = z
  .looseObject({
    job_id: z.string(),
    member_id: z.string(),
    task_id: z.string().meta({ description: 'The task that started it' }),
    status: z.enum(JOB_STATES),
    phase: z.string(),
    reason: z.string().nullable(),
    exit_code: z.number().nullable(),
    retries: z.number(),
    launches: z.number().meta({ description: 'One, and one more after each interruption' }),
    started_by: z.string(),
    priority: z.number(),
    labels: z.record(z.string(), z.string()),
    created: isoTime,
    started: isoTime,
    updated: isoTime,
    ended: isoTime,
  })
  .meta({ id: 'JobItem' });

const attempt = z
  .looseObject({
    launch: z.number(),
    attempt: z.number(),
    exit_code: z.number().nullable().meta({ description: '128 and the number of a signal; null when nobody saw it' }),
    started: z.string(),
    ended: z.string(),
  })
  .meta({ id: 'JobAttempt' });

const gpuOrphan = z
  .looseObject({ pid: z.number(), mib: z.number(), process: z.enum(['gone', 'left']) })
  .meta({ id: 'GpuOrphan', description: 'A process that holds GPU memory though the command is gone' });

const checkpoint = z
  .looseObject({
    path: z.string().nullable(),
    max_age_s: z.number(),
    at: isoTime.meta({ description: 'When the newest one was written' }),
    age_s: ageS,
    bytes: z.number().nullable(),
    asked: z
      .looseObject({ at: z.string(), outcome: z.enum(['pending', 'done', 'missed', 'unknown']) })
      .nullable()
      .meta({ description: 'The last one that was asked for in this attempt' }),
    requested_by: z.string().nullable(),
  })
  .meta({ id: 'JobCheckpoint' });

const artifact = z
  .looseObject({ path: z.string(), sha256: z.string(), bytes: z.number(), href: z.string() })
  .meta({ id: 'JobArtifact' });

export const jobAnswer = z
  .looseObject({
    ...jobItem.shape,
    member: z.string().nullable().meta({ description: 'Its name; null when it was removed' }),
    queue_position: z.number().nullable().meta({ description: '0 for the next one; null when it does not wait' }),
    command: z.string(),
    restart_command: z.string().nullable(),
    run_from: z.string(),
    max_retries: z.number(),
    resume: z.enum(RESUME),
    on_finish: z.enum(ON_FINISH),
    depends_on: z.array(z.string()),
    attempts: z.array(attempt).meta({ description: 'The last ones that are over, the oldest first' }),
    pid_alive: z.boolean().nullable().meta({ description: 'At the last look; null when nobody can know' }),
    heartbeat_at: isoTime,
    heartbeat_age_s: ageS,
    looked_at: isoTime,
    looked_age_s: ageS,
    boot_id: z.string().nullable(),
    gpu_utilization: z.number().nullable().meta({ description: 'Of its machine, percent' }),
    gpu_orphans: z.array(gpuOrphan),
    gpu_held_mib: z.number().nullable(),
    disk_free_bytes: z.number().nullable(),
    spot_notice: z.string().nullable(),
    cost_usd: z.number().nullable(),
    checkpoint: checkpoint.nullable(),
    log_bytes: z.number().meta({ description: 'All that it printed, whether or not that is kept' }),
    log_held: z.string().nullable().meta({ description: 'Why its log is not carried on; null when it is' }),
    log_tail: z.string(),
    artifacts: z.array(artifact),
    cancel_requested_by: z.string().nullable(),
    gave_way_to: z.string().nullable().meta({ description: 'The task whose stop it gave way to' }),
    auto_stopped: z.boolean().meta({ description: 'Its machine was stopped after it, as `on_finish` wants' }),
    stop_task_id: z.string().nullable().meta({ description: 'The task that is to stop it' }),
    folder: z.string(),
    folder_removed: isoTime,
  })
  .meta({ id: 'JobAnswer', description: 'All that is known of a job, and how old what was seen of it is' });

export const jobAsked = z.object({ job_id: z.string(), message: z.string() }).meta({ id: 'JobAsked' });
