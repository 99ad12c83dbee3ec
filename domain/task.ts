// What a task is: its statuses, phases and reasons, its input, and which change of status is legal.

export const TASK_STATUSES = [
  'PENDING',
  'AWAITING_CONFIRMATION',
  'RUNNING',
  'COMPLETED',
  'TERMINATED',
  'FAILED',
] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export const TASK_PHASES = [
  'planning',
  'reading',
  'awaiting_approval',
  'waiting_for_lease',
  'getting_ready',
  'executing',
  'undoing',
  'closed',
] as const;
/** What the task is doing within its status; `docs/status-by-phase.md` has the table. */
export type TaskPhase = (typeof TASK_PHASES)[number];

export const TASK_REASONS = [
  'approved',
  'rejected',
  'expired',
  'cancelled',
  'superseded',
  'deadline_exceeded',
  'retries_exhausted',
  'outcome_unknown',
  'not_found',
  'invalid',
  'conflict',
  'unauthorized',
  'failed',
  'lost',
] as const;
/** Why the task is where it is; a terminal task that did not complete always has one. */
export type TaskReason = (typeof TASK_REASONS)[number];

export type Risk = 'safe' | 'high';
export type Effect = 'read' | 'change' | 'destroy';

/** Any plain JSON value: the only thing that crosses a process boundary. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/**
 * The input of the workflow `runTask`. Only the first three are needed, so that a task can be started by hand from
 * the `temporal` CLI; nothing in it can make a task less guarded than the worker's own config says.
 */
export type TaskInput = {
  readonly operation: string;
  readonly resource: string;
  readonly params: JsonObject;
  readonly tenant?: string;
  /** The principal who submitted it; `temporal` when absent. */
  readonly requestedBy?: string;
  /** ISO time at which the door accepted it. */
  readonly submittedAt?: string;
  /** The verdict of the door; the worker's own verdict may only make it stricter. */
  readonly risk?: Risk;
  /** SHA-256 of the submitted body, to tell a replayed Idempotency-Key from a reused one. */
  readonly fingerprint?: string;
  /** The task for whose approved plan this one clears the way, such as the start of a machine for a command. */
  readonly onBehalfOf?: string;
  /** True for a task that goes away at once when its target is in use. */
  readonly withoutWaiting?: boolean;
  /** True where this namespace may not have Fermata's search attributes. */
  readonly withoutSearchAttributes?: boolean;
};

/** The terms under which a task runs: made once by the worker from its own config, then frozen in the task's row. */
export type Terms = {
  readonly effect: Effect;
  readonly risk: Risk;
  /** How long a decision is waited for, ms. */
  readonly confirmMs: number;
  /** How long execution may take, ms, without the waits for people and leases. */
  readonly deadlineMs: number;
  readonly maxRetries: number;
  readonly retryDelayMs: number;
  /** How long a busy target is waited for, ms. */
  readonly leaseWaitMs: number;
  /** `cancel`: what a failure leaves is what was asked for, so that it stays. */
  readonly undo: UndoPolicy | 'cancel';
};

export const UNDO_POLICIES = ['failure', 'failure_and_cancel', 'never'] as const;
/** When executed steps are undone: when the task fails, also when it is cancelled, or never. */
export type UndoPolicy = (typeof UNDO_POLICIES)[number];

const NEXT: Record<TaskStatus, readonly TaskStatus[]> = {
  PENDING: ['AWAITING_CONFIRMATION', 'RUNNING', 'TERMINATED', 'FAILED'],
  AWAITING_CONFIRMATION: ['RUNNING', 'TERMINATED', 'FAILED'],
  RUNNING: ['RUNNING', 'COMPLETED', 'TERMINATED', 'FAILED'],
  COMPLETED: [],
  TERMINATED: [],
  FAILED: [],
};

/** True when no further event can follow. */
export function isTerminal(status: TaskStatus): boolean {
  return NEXT[status].length === 0;
}

/** True when an event may lead from one status to the other. A task's first event leads from `PENDING`. */
export function isLegal(from: TaskStatus, to: TaskStatus): boolean {
  return NEXT[from].includes(to);
}

const TASK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const WORKFLOW_PREFIX = 'task-';

/** True for the only form a task id has: a lower-case UUID. */
export function isTaskId(text: string): boolean {
  return TASK_ID.test(text);
}

/** The Temporal workflow id of a task. */
export function workflowIdOf(taskId: string): string {
  return WORKFLOW_PREFIX + taskId;
}

/** The inverse of {@link workflowIdOf}; undefined when the id is not that of a task. */
export function taskIdOf(workflowId: string): string | undefined {
  const taskId = workflowId.slice(WORKFLOW_PREFIX.length);
  return workflowId.startsWith(WORKFLOW_PREFIX) && isTaskId(taskId) ? taskId : undefined;
}
