// An event: one transition of one task, who made it, when and why, and the text of it that the audit chain hashes.
import type { Decision } from './decision.ts';
import type { LeaseWish } from './lease.ts';
import type { Plan, StepOutcome } from './plan.ts';
import { canonical } from './plan.ts';
import type { JsonObject, TaskPhase, TaskReason, TaskStatus } from './task.ts';

/** What else belongs to an event. */
export type EventDetail = {
  /** One sentence for people. */
  readonly says: string;
  readonly plan?: Plan;
  readonly decision?: Decision;
  readonly outcomes?: readonly StepOutcome[];
  readonly result?: JsonObject;
  readonly error?: string;
  /** Until when a decision is waited for, ISO. */
  readonly approveBy?: string;
  /** The workflow that holds what this task waits for. */
  readonly waitsFor?: string;
};

export type TaskEvent = {
  readonly taskId: string;
  readonly tenant: string;
  /** 1 for the first event of a task, without gaps. */
  readonly seq: number;
  /** ISO time by PostgreSQL's clock. */
  readonly at: string;
  /** The principal who caused it, `policy/...` or `fermata`. */
  readonly by: string;
  /** Null for a task's first event. */
  readonly from: TaskStatus | null;
  readonly to: TaskStatus;
  readonly phase: TaskPhase;
  readonly reason: TaskReason | null;
  readonly detail: EventDetail;
};

/** What the workflow wants recorded; what it gets back is what was recorded. */
export type EventWish = {
  readonly to: TaskStatus;
  readonly phase: TaskPhase;
  readonly reason?: TaskReason;
  readonly by?: string;
  readonly says: string;
  readonly plan?: Plan;
  readonly decision?: Decision;
  readonly outcomes?: readonly StepOutcome[];
  readonly result?: JsonObject;
  /** Tries of a read, which has no outcomes to count them from. */
  readonly attempts?: number;
  readonly error?: string;
  /** Taken in the same transaction, all or none. */
  readonly leases?: readonly LeaseWish[];
  /** What to do when a lease is refused: record the wish as `waiting_for_lease`, or record nothing. */
  readonly whenBusy?: 'wait' | 'nothing';
};

/** The canonical text of an event: what its hash covers. Position and former hash are added by {@link sealText}. */
export function eventText(event: TaskEvent): string {
  return canonical(event);
}

/** What the hash of a seal is made of: the former hash, the position in the tenant's order and the event. */
export function sealText(formerHash: string, position: number, event: TaskEvent): string {
  return `${formerHash}\n${position}\n${eventText(event)}`;
}

/** The hash before the first seal of a tenant. */
export const GENESIS_HASH = '0'.repeat(64);
