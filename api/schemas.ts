// What goes over the wire, as schemas: they validate requests and describe every answer in /openapi.json.
import { z } from 'zod';
import { TASK_PHASES, TASK_REASONS, TASK_STATUSES } from '../domain/task.ts';

const dictionary = z.record(z.string(), z.unknown());
const unixSeconds = z.number().meta({ description: 'Unix time in seconds' });
const isoTime = z.iso.datetime();

export const submitTaskRequest = z
  .object({
    operation: z.string().meta({ description: 'A name from GET /api/v1/operations', examples: ['delete_instance'] }),
    resource: z.string().meta({ description: 'A free label for people; never compared with anything' }),
    params: dictionary.default({}).meta({ description: 'The parameters of the operation' }),
  })
  .meta({ id: 'SubmitTaskRequest' });

export const confirmRequest = z
  .object({
    confirmed: z.boolean().meta({ description: 'true approves, false rejects' }),
    plan_digest: z.string().max(128).optional().meta({ description: 'Decide on this plan only; another one is a 412' }),
    comment: z.string().max(1_000).optional(),
  })
  .meta({ id: 'ConfirmRequest' });

export const healthResponse = z
  .object({ status: z.literal('ok'), version: z.string(), high_risk_operations: z.array(z.string()) })
  .meta({ id: 'HealthResponse' });

export const readyResponse = z
  .object({ ready: z.boolean(), postgres: z.boolean(), temporal: z.boolean() })
  .meta({ id: 'ReadyResponse' });

export const operationInfo = z
  .object({
    name: z.string(),
    description: z.string(),
    risk: z.enum(['safe', 'high']),
    params: z.array(z.string()).meta({ description: 'Names of the required parameters' }),
  })
  .meta({ id: 'OperationInfo' });

export const submitTaskResponse = z
  .object({
    task_id: z.string(),
    status: z.literal('PENDING'),
    is_high_risk: z.boolean().meta({
      description: 'It waits for a decision: config says so, or the member that it names is guarded',
    }),
    message: z.string(),
  })
  .meta({ id: 'SubmitTaskResponse' });

const planStep = z
  .object({
    id: z.string(),
    batch: z.int(),
    call: z.string(),
    target: z.string(),
    args: dictionary,
    saw: dictionary,
    says: z.string(),
    undo: dictionary,
    estimated_seconds: z.number(),
  })
  .meta({ id: 'PlanStep' });

const plan = z
  .object({
    says: z.string(),
    cost_usd_per_hour: z.number().nullable(),
    prices_as_of: z.iso.date(),
    facts: dictionary,
    steps: z.array(planStep),
    needs: dictionary.optional().meta({ description: 'The member that must be ready before the steps are taken' }),
    guarded: z
      .array(z.string())
      .optional()
      .meta({ description: 'Guarded members that it changes, and jobs that it cuts off: why it waits for a decision' }),
    digest: z.string(),
  })
  .meta({ id: 'Plan' });

const taskBase = z.object({
  task_id: z.string(),
  operation: z.string(),
  resource: z.string(),
  status: z.enum(TASK_STATUSES),
  result: z.unknown(),
  error: z.string().nullable(),
  created_at: unixSeconds,
  updated_at: unixSeconds,
  phase: z.enum(TASK_PHASES),
  reason: z.enum(TASK_REASONS).nullable(),
  plan_digest: z.string().nullable(),
  requested_by: z.string(),
  decided_by: z.string().nullable(),
  approve_by: isoTime.nullable(),
  attempts: z.int().nullable(),
});

/** A task in a list: without what can be long and is one GET away. */
export const taskListItem = taskBase.meta({ id: 'TaskListItem' });
export const taskResponse = taskBase.extend({ params: dictionary, plan: plan.nullable() }).meta({ id: 'TaskResponse' });

export const confirmResponse = z
  .object({ task_id: z.string(), confirmed: z.boolean(), message: z.string() })
  .meta({ id: 'ConfirmResponse' });

export const terminateResponse = z
  .object({ task_id: z.string(), signalled: z.literal(true), message: z.string() })
  .meta({ id: 'TerminateResponse' });

export const eventResponse = z
  .object({
    task_id: z.string(),
    tenant: z.string(),
    seq: z.int(),
    at: isoTime,
    by: z.string(),
    from: z.enum(TASK_STATUSES).nullable(),
    to: z.enum(TASK_STATUSES),
    phase: z.enum(TASK_PHASES),
    reason: z.enum(TASK_REASONS).nullable(),
    detail: dictionary,
  })
  .meta({ id: 'TaskEvent' });

const validationError = z
  .object({
    type: z.string(),
    loc: z.array(z.union([z.string(), z.int()])),
    msg: z.string(),
    input: z.unknown(),
    ctx: dictionary.optional(),
  })
  .meta({ id: 'ValidationError' });

const problem = { code: z.string(), request_id: z.string() };

/** Every error but those of validation; with `Accept: application/problem+json` the same as RFC 9457. */
export const errorResponse = z.object({ detail: z.string(), ...problem }).meta({ id: 'ErrorResponse' });
export const httpValidationError = z
  .object({ detail: z.union([z.array(validationError), z.string()]), ...problem })
  .meta({ id: 'HTTPValidationError' });

/** RFC 9457, for those who ask for it. */
export const problemDetails = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    ...problem,
    errors: z.array(validationError).optional(),
  })
  .meta({ id: 'ProblemDetails' });

/** The query of the list of tasks; unknown names are ignored, as the contract has it. */
export const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(1_000),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/)
    .optional(),
  status: z.enum(TASK_STATUSES).optional(),
  operation: z
    .string()
    .max(256)
    // PostgreSQL has no NUL in text.
    .refine((name) => !name.includes('\0'), 'Input should be text without NUL')
    .optional(),
});

export const eventsQuery = z.object({ after: z.coerce.number().int().min(0).optional() });
export const deleteQuery = z.object({ undo: z.enum(['true', 'false']).default('false') });
