// The schema of config.json: the keys callers know, with the same names, and Fermata's own, all of them optional.
import { z } from 'zod';
import { UNDO_POLICIES } from '../domain/task.ts';

/** A day is longer than any operation here takes, and longer than anybody waits for a decision without a window. */
const seconds = z
  .number()
  .positive()
  // Temporal counts in milliseconds.
  .min(0.001)
  .max(7 * 86_400);

const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;

export const configSchema = z.strictObject({
  high_risk_operations: z.array(z.string().min(1)),
  /** `destroy` operations that may run without a decision. */
  allow_unguarded: z.array(z.string().min(1)).default([]),
  confirmation: z.strictObject({
    timeout_seconds: seconds,
    /** Read by an older console only; required because callers' files and tools know them as required. */
    prompt_template: z.string().optional(),
    confirm_token: z.string().optional(),
  }),
  execution: z.strictObject({
    max_retries: z.int().min(0).max(100),
    retry_delay_seconds: z.number().positive().max(3600),
    task_timeout_seconds: seconds,
    /** Operations that need longer, or must give up sooner, than `task_timeout_seconds`. */
    operation_timeout_seconds: z.record(z.string(), seconds).default({}),
    /** How long a task waits for a target that another task is changing. */
    lease_wait_seconds: seconds.default(600),
    undo: z.enum(UNDO_POLICIES).default('failure'),
  }),
  logging: z
    .strictObject({
      level: z
        .string()
        .transform((level) => level.toUpperCase())
        .pipe(z.enum(LOG_LEVELS))
        .default('INFO'),
      audit_log_path: z.string().min(1).default('logs/audit.log'),
    })
    .prefault({}),
  temporal: z
    .strictObject({
      /** False where the namespace may not be given Fermata's search attributes. */
      search_attributes: z.boolean().default(true),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
