// Values that the tests of the rules are made of: one of each noun, and generators of many.
import fc from 'fast-check';
import type { Decision } from '../../domain/decision.ts';
import type { TaskEvent } from '../../domain/event.ts';
import type { Plan, PlanDraft, Step, StepOutcome } from '../../domain/plan.ts';
import type { Json } from '../../domain/task.ts';

export const TASK_ID = '01234567-89ab-4cde-8f01-23456789abcd';
export const DIGEST = 'd'.repeat(64);

export function step(changes: Partial<Step> = {}): Step {
  return {
    id: 'stop-i-1',
    batch: 0,
    call: 'stop_instance',
    target: 'us-east-1/i-1',
    args: { key: 'image' },
    saw: { state: 'running', name: 'web-1' },
    says: 'stop web-1',
    undo: { call: 'start_instance', args: { force: false } },
    estimatedSeconds: 60,
    ...changes,
  };
}

export const draft: PlanDraft = {
  steps: [step(), step({ id: 'reboot-i-2', batch: 1, call: 'reboot_instance', undo: { none: 'gone' } })],
  says: 'Stop one, reboot the other.',
  costUsdPerHour: -0.5,
  facts: { previous_nodes: 8 },
};

const plan: Plan = { ...draft, digest: DIGEST };

export const decision: Decision = {
  approve: true,
  by: 'alice',
  planDigest: DIGEST,
  comment: 'go on',
  validUntil: '2030-01-01T00:00:10.000Z',
};

const outcome: StepOutcome = {
  stepId: 'stop-i-1',
  call: 'stop_instance',
  target: 'us-east-1/i-1',
  acted: true,
  reached: false,
  seen: { state: 'stopping' },
  attempts: 2,
  note: 'still stopping',
};

/** An event with every field there is. */
export const event: TaskEvent = {
  taskId: TASK_ID,
  tenant: 'default',
  seq: 3,
  at: '2030-01-01T00:00:00.000Z',
  by: 'alice',
  from: 'AWAITING_CONFIRMATION',
  to: 'RUNNING',
  phase: 'executing',
  reason: 'approved',
  detail: {
    says: 'Approved.',
    plan,
    decision,
    outcomes: [outcome],
    result: { status: 'DELETED' },
    error: 'none',
    approveBy: '2030-01-01T00:00:30.000Z',
    waitsFor: 'task-x',
  },
};

/** JSON as it comes out of a payload or a column. */
export const anyJson: fc.Arbitrary<Json> = fc.json({ maxDepth: 4 }).map(parsed);

function parsed(text: string): Json {
  return JSON.parse(text);
}

/** The same value once more, by way of its text. */
export function copied<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

/** The paths of all leaves of a JSON value. */
export function leavesOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  return Object.entries(value).flatMap(([key, child]) => leavesOf(child, [...path, key]));
}

/** A copy in which one leaf is another value. */
export function changedAt<T>(value: T, path: readonly string[]): T {
  const whole = copied(value);
  let here: unknown = whole;
  for (const key of path.slice(0, -1)) here = get(here, key);
  const last = path.at(-1) ?? '';
  const leaf = get(here, last);
  const other = typeof leaf === 'number' ? leaf + 1 : typeof leaf === 'boolean' ? !leaf : `${String(leaf)}!`;
  if (typeof here !== 'object' || here === null) throw new Error(`no leaf at ${path.join('.')}`);
  Reflect.set(here, last, other);
  return whole;
}

function get(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/** The same value with the keys of every object in the opposite order. */
export function turned(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Array) return value.map(turned);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, child]) => [key, turned(child)]),
  );
}
