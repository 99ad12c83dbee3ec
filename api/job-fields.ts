// The queries and answers of jobs, as schemas.
import { z } from 'zod';
import { JOB_STATES } from '../domain/job.ts';
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
    created: isoTime,
    started: isoTime,
    updated: isoTime,
    ended: isoTime,
  })
  .meta({ id: 'JobItem' });

export const jobAnswer = z
  .looseObject({
    ...jobItem.shape,
    queue_position: z.number().nullable(),
    pid_alive: z.boolean().nullable(),
    heartbeat_age_s: z.number().nullable(),
    gpu_utilization: z.number().nullable(),
    cost_usd: z.number().nullable(),
    log_tail: z.string(),
  })
  .meta({ id: 'JobAnswer', description: 'All that is known of a job, and how old what was seen of it is' });

export const jobAsked = z.object({ job_id: z.string(), message: z.string() }).meta({ id: 'JobAsked' });
