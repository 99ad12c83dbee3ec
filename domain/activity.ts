// The inputs and answers of the activities: plain JSON values, one object in, one out.
import type { EventWish } from './event.ts';
import type { Step } from './plan.ts';
import type { JsonObject, TaskInput } from './task.ts';

export type RecordInput = {
  readonly taskId: string;
  /** First execution run id of the workflow. */
  readonly runId: string;
  readonly input: TaskInput;
  readonly seq: number;
  /** Null only looks whether the event exists already. */
  readonly wish: EventWish | null;
  /** Of the plan, for wording the result of a completed change. */
  readonly facts?: JsonObject;
};

export type RetryTerms = {
  readonly maxRetries: number;
  readonly retryDelayMs: number;
};

export type PlanInput = RetryTerms & { readonly operation: string; readonly params: JsonObject };

export type ReadAnswer = { readonly result: JsonObject; readonly attempts: number };

export type StepInput = RetryTerms & {
  readonly taskId: string;
  readonly step: Step;
  /** True when the step puts something back: then the stop mark does not hold it. */
  readonly undo: boolean;
};
