// What can be said to running workflows, importable without any workflow code.
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ReadyAnswer, ReadyWish } from '../domain/activity.ts';
import type { Decision, DecisionAnswer } from '../domain/decision.ts';
import type { LeaseWaiter } from '../domain/lease.ts';
import type { TaskPhase, TaskReason, TaskStatus } from '../domain/task.ts';

/** What the `status` query answers. */
export type TaskView = {
  readonly status: TaskStatus;
  readonly phase: TaskPhase;
  readonly reason: TaskReason | null;
  readonly planDigest: string | null;
  /** Number of the last recorded event. */
  readonly seq: number;
};

/** A decision that wants an answer: from the API. */
export const decideUpdate = defineUpdate<DecisionAnswer, [Decision]>('decide');
/** A decision by hand, `{"confirmed": true, "plan_digest"?, "comment"?}`: from the Web UI or the CLI. Anything may come. */
export const confirmSignal = defineSignal<[unknown]>('confirm');
/** Tells a task to look whether the store already has its next event: from `reconcile`. */
export const wakeSignal = defineSignal('wake');
export const statusQuery = defineQuery<TaskView>('status');
/** Tells a task that the member it needs is ready, or why not: from `readyMember`. */
export const readySignal = defineSignal<[ReadyAnswer]>('ready');
/** Puts somebody in the line for a target: to `keepLeases`. */
export const queueSignal = defineSignal<[LeaseWaiter]>('queue');
/** Tells a task that a target it waits for seems to be free: from `keepLeases`. */
export const leaseFreeSignal = defineSignal('leaseFree');
/** Asks `readyMember` for its member. */
export const attendSignal = defineSignal<[ReadyWish]>('attend');
