// The inputs and answers of the activities: plain JSON values, one object in, one out.
import type { EventWish } from './event.ts';
import type { FailureType } from './failures.ts';
import type { Instance, InstanceState } from './instance.ts';
import type { JobEndState, JobSpec, LaunchEnd } from './job.ts';
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
  /** How long a lack of capacity is waited out without spending a retry; not at all when absent. */
  readonly capacityMs?: number;
};

export type PlanInput = RetryTerms & {
  readonly operation: string;
  readonly params: JsonObject;
  readonly tenant: string;
  /** The task whose plan, approved where that was needed, covers what this one does. */
  readonly onBehalfOf?: string;
};

export type ReadInput = PlanInput & {
  /** The event to record with the answer; a workflow that does not say it records it by itself. */
  readonly closes?: RecordInput;
};

export type StepInput = RetryTerms & {
  readonly taskId: string;
  readonly step: Step;
  /** True when the step puts something back: then the stop mark does not hold it. */
  readonly undo: boolean;
};

/** Asks for a member to be made ready; the answer comes as the signal `ready`. */
export type ReadyWish = {
  readonly memberId: string;
  /** Workflow id of who asks. */
  readonly asker: string;
  readonly start: boolean;
  /** The task whose plan covers the start, where that is not the asker. */
  readonly onBehalfOf?: string;
  /** Ready steps to run though they are not due; all of them when empty, none when absent. */
  readonly provision?: readonly string[];
};

export type ReadyAnswer =
  | { readonly ok: true; readonly note: string | null }
  | { readonly ok: false; readonly type: FailureType; readonly why: string };

/** What a look at a member shows. */
export type MemberLook = {
  readonly name: string;
  readonly tenant: string;
  /** Null for a machine that is not in the cloud. */
  readonly instanceId: string | null;
  readonly state: InstanceState | null;
};

export type ReadyStepResult = {
  readonly name: string;
  readonly ok: boolean;
  readonly required: boolean;
  readonly why: string | null;
};

/** What the cloud shows of an instance; null when there is none, `problem` when it could not be asked. */
export type InstanceLook = { readonly instance: Instance | null } | { readonly problem: string };

/** Whether a member could be logged in to, with the fingerprint it is known by. */
export type MemberTry =
  | { readonly ok: true; readonly latencyMs: number; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly why: string };

/** A stop that the sweep found due. */
export type DueStop = {
  readonly taskId: string;
  readonly name: string;
  readonly tenant: string;
  readonly instanceId: string;
  readonly by: 'policy/idle' | 'policy/max_run' | 'policy/budget';
  /** An idle stop looks once more, and goes away when anybody uses the machine. */
  readonly ifIdle: boolean;
};

export type SweepReport = {
  readonly looked: number;
  readonly probed: number;
  readonly unreachable: number;
  readonly warned: number;
  /** To the cloud: for instances, and for their disks. */
  readonly calls: number;
  readonly disksCalls: number;
  readonly stops: readonly DueStop[];
};

/** A job as it was accepted. */
export type NewJobInput = {
  readonly id: string;
  readonly tenant: string;
  readonly memberId: string;
  readonly taskId: string;
  readonly by: string;
  readonly spec: JobSpec;
};

/** Which launch of which job. */
export type LaunchInput = { readonly jobId: string; readonly generation: number };

/** What became of a launch: it runs, under this number, or has ended. */
export type LaunchSeen = { readonly kind: 'running'; readonly generation: number } | LaunchEnd;

export type JobEnd = { readonly state: JobEndState; readonly why: string; readonly exitCode: number | null };

/** A task that a job wants when it has ended. */
export type AfterJob = { readonly taskId: string; readonly input: TaskInput };
