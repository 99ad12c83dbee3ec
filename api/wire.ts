// Rows and events in the form in which callers get them: snake_case, the contract's fields first.
import type { Plan } from '../domain/plan.ts';
import { PRICES_AS_OF } from '../domain/prices.ts';
import type { TaskEvent } from '../domain/event.ts';
import type { TaskListRow, TaskRow } from '../service/tasks.ts';

/** A task in a list. */
export function listItemOf(row: TaskListRow) {
  return {
    task_id: row.id,
    operation: row.operation,
    resource: row.resource,
    status: row.status,
    result: row.result,
    error: row.error,
    created_at: row.createdAt.getTime() / 1000,
    updated_at: row.updatedAt.getTime() / 1000,
    phase: row.phase,
    reason: row.reason,
    plan_digest: row.planDigest,
    requested_by: row.requestedBy,
    decided_by: row.decidedBy,
    approve_by: row.approveBy?.toISOString() ?? null,
    attempts: row.attempts,
  };
}

/** A task on its own, with its parameters and its plan. */
export function taskOf(row: TaskRow) {
  return { ...listItemOf(row), params: row.params, plan: row.plan && planOf(row.plan) };
}

/** A plan with all that its digest covers; an estimate of its cost says how old the prices are. */
function planOf({ says, costUsdPerHour, facts, steps, needs, guarded, digest, pricesAsOf = PRICES_AS_OF }: Plan) {
  return {
    says,
    cost_usd_per_hour: costUsdPerHour,
    prices_as_of: pricesAsOf,
    facts,
    steps: snakeKeys(steps),
    ...(needs && { needs: snakeKeys(needs) }),
    ...(guarded && { guarded }),
    digest,
  };
}

/** An event. */
export function eventOf(event: TaskEvent): unknown {
  return snakeKeys(event);
}

/** The version of a task that its ETag names: the number of its last event. None while only Temporal knows the task. */
export function etagOf(row: TaskRow): string | undefined {
  return row.position === 0 ? undefined : `"${row.lastSeq}"`;
}

/** What holds keys that callers made, or values that are answered as they are elsewhere; `args` may hold the first three. */
const LEFT_ALONE: ReadonlySet<string> = new Set(['env', 'secrets', 'labels', 'facts', 'params', 'result']);

/** Keys of plans, decisions and outcomes are Fermata's own words; values, and keys that callers made, stay as they are. */
export function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [snakeCase(key), LEFT_ALONE.has(key) ? child : snakeKeys(child)]),
  );
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
