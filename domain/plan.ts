// A plan: the ordered steps a task will take, the state they were planned on, how each is undone, and its canonical text.
import type { LeaseWish } from './lease.ts';
import type { Json, JsonObject } from './task.ts';

/** The mutating calls a step can make; `activities/steps` has one runner for each. */
export type StepCall =
  | 'start_instance'
  | 'stop_instance'
  | 'reboot_instance'
  | 'terminate_instance'
  | 'set_tag'
  | 'run_command'
  | 'put_file'
  | 'get_file'
  | 'start_job'
  | 'forget_member';

/** Calls that use a target together with others; every other call changes it and wants it alone. */
const SHARING: readonly StepCall[] = ['start_instance', 'run_command', 'put_file', 'get_file', 'start_job'];

/** Calls to EC2, which are made through the profile of a member. */
const CLOUD: readonly StepCall[] = [
  'start_instance',
  'stop_instance',
  'reboot_instance',
  'terminate_instance',
  'set_tag',
];

/** How a call holds its target. */
export function leaseModeOf(call: StepCall): LeaseWish['mode'] {
  return SHARING.includes(call) ? 'shared' : 'exclusive';
}

/** A member that must be ready before the steps are taken. */
export type Needs = {
  readonly memberId: string;
  /** What its steps are leased on. */
  readonly target: string;
  readonly start: 'if_stopped' | 'never';
  /** Ready steps to run again though they are not due; all of them when empty. */
  readonly provision?: readonly string[];
};

export type StepUndo = {
  readonly call: StepCall;
  readonly args: JsonObject;
};

export type Step = {
  /** Unique in the plan; part of the idempotency token of its call. */
  readonly id: string;
  /** Steps of one batch run side by side, batches one after another. */
  readonly batch: number;
  readonly call: StepCall;
  /** `<region>/<instance id>`: what the lease is taken on. */
  readonly target: string;
  readonly args: JsonObject;
  /** The state seen when the plan was made. */
  readonly saw: JsonObject;
  readonly says: string;
  /** How it is put back, or in words why it cannot be. */
  readonly undo: StepUndo | { readonly none: string };
  readonly estimatedSeconds: number;
};

/** What an operation plans; the digest is added by the activity that hashes the canonical text. */
export type PlanDraft = {
  readonly steps: readonly Step[];
  /** One sentence for the person who decides. */
  readonly says: string;
  /** Estimated change of cost per hour in USD; null when not known. */
  readonly costUsdPerHour: number | null;
  /** Values the result needs that must not change after planning. */
  readonly facts: JsonObject;
  readonly needs?: Needs;
  /** Names of guarded members that it changes, and jobs that a forced stop cuts off: then it waits for a decision, whatever config says. */
  readonly guarded?: readonly string[];
};

export type Plan = PlanDraft & {
  /** SHA-256 (hex) of {@link canonical} of the draft: what an approval covers. */
  readonly digest: string;
  /** Date of the prices of config behind the estimate; those of the package where it has none. */
  readonly pricesAsOf?: string;
};

/** What became of one step. */
export type StepOutcome = {
  readonly stepId: string;
  readonly call: StepCall;
  readonly target: string;
  /** True when this task's call changed, or may have changed, something. */
  readonly acted: boolean;
  /** True when the wanted state was seen. */
  readonly reached: boolean;
  readonly seen: JsonObject;
  /** Tries that met an error of the operation itself, plus the one that ended it. */
  readonly attempts: number;
  /** Why it did not get there, where it did not. */
  readonly note?: string;
};

/**
 * Canonical JSON: object keys sorted by code unit, no white space, so that equal values have equal bytes
 * (the scheme of RFC 8785 for the strings, integers and doubles that `JSON.stringify` writes).
 */
export function canonical(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const object = value;
  const members = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(object[key] ?? null)}`);
  return `{${members.join(',')}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** The text of a plan that is hashed: everything but the digest itself. */
export function planText(draft: PlanDraft): string {
  const { steps, says, costUsdPerHour, facts, needs, guarded } = draft;
  return canonical({ steps, says, costUsdPerHour, facts, ...(needs && { needs }), ...(guarded && { guarded }) });
}

/** The leases a plan needs, each target once: exclusive when one of its steps changes the target. */
export function leasesOf({ steps, needs }: Pick<PlanDraft, 'steps' | 'needs'>): LeaseWish[] {
  const modes = new Map<string, LeaseWish['mode']>(needs ? [[needs.target, 'shared']] : []);
  for (const { target, call } of steps) {
    const mode = leaseModeOf(call);
    if (mode === 'exclusive' || !modes.has(target)) modes.set(target, mode);
  }
  return [...modes].map(([target, mode]) => ({ target, mode }));
}

/** The steps of a plan, batch by batch. */
export function batchesOf(steps: readonly Step[]): Step[][] {
  const batches = new Map<number, Step[]>();
  for (const step of steps) batches.set(step.batch, [...(batches.get(step.batch) ?? []), step]);
  return [...batches.entries()].sort(([a], [b]) => a - b).map(([, batch]) => batch);
}

/** The plan with its calls to EC2, and what undoes them, made through an AWS profile; null for the worker's own credentials. */
export function throughProfile(draft: PlanDraft, profile: string | null): PlanDraft {
  if (profile === null) return draft;
  const through = <T extends StepUndo>(one: T): T =>
    CLOUD.includes(one.call) ? { ...one, args: { ...one.args, profile } } : one;
  const steps = draft.steps.map((step) => ({
    ...through(step),
    undo: 'none' in step.undo ? step.undo : through(step.undo),
  }));
  return { ...draft, steps };
}

/** The step that undoes another one, or undefined when there is none. */
export function undoStep(step: Step): Step | undefined {
  if ('none' in step.undo) return undefined;
  return {
    ...step,
    id: `${step.id}-undo`,
    call: step.undo.call,
    args: step.undo.args,
    // Only what this task left there is put back, not what somebody else has made of it since.
    saw: step.call === 'set_tag' ? { value: step.args.value ?? null } : step.saw,
    says: `undo of: ${step.says}`,
    undo: { none: 'an undo is not undone' },
  };
}

/** Cuts a number of things into batches: the first alone, then each up to twice as large as the one before. */
export function growingBatches(count: number): number[] {
  const batches: number[] = [];
  for (let left = count, size = 1; left > 0; size *= 2) {
    const taken = Math.min(size, left);
    batches.push(taken);
    left -= taken;
  }
  return batches;
}
