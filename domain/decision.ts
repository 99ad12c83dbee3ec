// What a decision is, and the one rule that says whether it may still be made, for the update and the signal alike.
import type { FailureDetails, FailureType } from './failures.ts';
import { isTime, storable, unstorable } from './text.ts';

export type Decision = {
  readonly approve: boolean;
  /** The principal. */
  readonly by: string;
  /** The plan it was made on; without it, the plan in hand. */
  readonly planDigest?: string;
  readonly comment?: string;
  /** ISO time by PostgreSQL's clock after which it must not be recorded any more. */
  readonly validUntil?: string;
};

/** What the `decide` update answers once the decision is recorded. */
export type DecisionAnswer = {
  readonly approved: boolean;
  readonly by: string;
  readonly at: string;
  readonly planDigest: string;
};

/** What is known of a task when somebody wants to decide on it. */
export interface Decidable {
  readonly taskId: string;
  readonly awaiting: boolean;
  readonly planDigest: string | undefined;
  /** The decision that was made, or is being recorded. */
  readonly decided: Decision | undefined;
}

export interface Refusal {
  readonly type: FailureType;
  readonly details: FailureDetails;
}

/**
 * Judges a decision: `undefined` when it may be recorded or repeats the one that was, else why not. The time limit
 * is not looked at here: only the database's clock decides on that, when the decision is recorded.
 */
export function refusalOf(decision: Decision, task: Decidable): Refusal | undefined {
  const why = flawOf(decision);
  if (why !== undefined) return { type: 'InvalidRequest', details: { why } };
  const id = task.taskId;
  const { decided } = task;
  if (decision.planDigest !== undefined && task.planDigest !== undefined && decision.planDigest !== task.planDigest) {
    return { type: 'PlanDigestMismatch', details: { id, actual: task.planDigest, given: decision.planDigest } };
  }
  if (decided) {
    if (decided.approve === decision.approve && decided.by === decision.by) return undefined;
    return {
      type: 'AlreadyDecided',
      details: { id, by: decided.by, decision: decided.approve ? 'approved' : 'rejected' },
    };
  }
  return task.awaiting ? undefined : { type: 'NotAwaitingConfirmation', details: { id } };
}

const LONGEST_COMMENT = 1_000;
const LONGEST_DIGEST = 128;
const LONGEST_NAME = 255;

/** The update can be sent by hand as well: what could not be recorded must be refused before it is wished. */
function flawOf(raw: unknown): string | undefined {
  if (typeof raw !== 'object' || raw === null) return 'a decision must be an object';
  const field = (name: string): unknown => Reflect.get(raw, name);
  const isText = (name: string, longest: number) => {
    const value = field(name);
    return typeof value === 'string' && value.length <= longest && unstorable(value) === undefined;
  };
  const mayBe = (name: string, longest: number) => field(name) === undefined || isText(name, longest);
  if (typeof field('approve') !== 'boolean') return '"approve" must be true or false';
  if (field('by') === '' || !isText('by', LONGEST_NAME)) return '"by" must be a name';
  if (!mayBe('planDigest', LONGEST_DIGEST)) return '"planDigest" must be a digest';
  if (!mayBe('comment', LONGEST_COMMENT)) return `"comment" must be a text of at most ${LONGEST_COMMENT} characters`;
  const validUntil = field('validUntil');
  if (validUntil !== undefined && !isTime(validUntil)) return '"validUntil" must be an ISO time';
  return undefined;
}

/**
 * Reads the input of the `confirm` signal, which anybody can send by hand: never throws, and says in words what it
 * could not use. The principal is always `temporal`, since a signal carries no name that could be trusted.
 */
export function parseConfirmSignal(raw: unknown): Decision | { readonly ignored: string } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return { ignored: 'the input must be an object like {"confirmed": true}' };
  }
  const confirmed: unknown = Reflect.get(raw, 'confirmed');
  if (typeof confirmed !== 'boolean') return { ignored: '"confirmed" must be true or false' };
  const planDigest: unknown = Reflect.get(raw, 'plan_digest') ?? undefined;
  if (planDigest !== undefined && typeof planDigest !== 'string') return { ignored: '"plan_digest" must be a string' };
  const comment: unknown = Reflect.get(raw, 'comment') ?? undefined;
  if (comment !== undefined && typeof comment !== 'string') return { ignored: '"comment" must be a string' };
  return {
    approve: confirmed,
    by: 'temporal',
    ...(planDigest === undefined ? {} : { planDigest }),
    ...(comment === undefined ? {} : { comment: storable(comment.slice(0, LONGEST_COMMENT)) }),
  };
}

/** An approval that is met later than this after its `validUntil` is not acted on: its caller has long given up. */
export const APPROVAL_GRACE_MS = 30_000;

/** True when a stored approval is too old to be acted on at `now` (ISO, the database's clock). */
export function isStale(decision: Decision, at: string, now: string): boolean {
  return Date.parse(now) > Date.parse(decision.validUntil ?? at) + APPROVAL_GRACE_MS;
}
