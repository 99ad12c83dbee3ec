// What a runner of one kind of call knows: how to look, what the look means, and how to act once.
import type { Ec2 } from '../../clients/ec2.ts';
import { Failure } from '../../domain/failures.ts';
import type { Instance } from '../../domain/instance.ts';
import { instanceIdOf, settled } from '../../domain/instance.ts';
import type { Step } from '../../domain/plan.ts';
import type { JsonObject } from '../../domain/task.ts';

/**
 * - `as_planned`: the state still calls for the act · `on_the_way`: wait · `as_wanted`: it is so
 * - `else`: something else changed, and the plan no longer holds · `failed`: it took effect, and the result is bad
 * - `unknown`: it cannot be told whether it took effect
 */
export type Verdict = 'as_planned' | 'on_the_way' | 'as_wanted' | 'else' | 'failed' | 'unknown';

export interface Look {
  readonly verdict: Verdict;
  readonly seen: JsonObject;
  /** Why, where the verdict is `else`, `failed` or `unknown`. */
  readonly why?: string;
}

export interface LookOptions {
  /** True when this task has set about the call, in this attempt or an earlier one. */
  readonly mine: boolean;
  /** When the cloud answered the call of this task with a success, ms since 1970; null when it did not. */
  readonly answeredAt: number | null;
  readonly undo: boolean;
  readonly signal: AbortSignal;
}

export interface StepRunner {
  /** True when it does not matter who brought the wanted state about. */
  readonly indifferent: boolean;
  look(step: Step, options: LookOptions): Promise<Look>;
  /**
   * What is done on the machine before the act, which the last look comes after; true when it did something. Called once
   * in an attempt, when the act is due.
   */
  prepare?(step: Step, signal: AbortSignal): Promise<boolean>;
  act(step: Step): Promise<void>;
  /** Ends what is on its way, where that can be ended; called when the task is stopped. */
  halt?(step: Step): Promise<void>;
}

/** The instance of a step. Throws `TargetNotFound`. */
export async function instanceOf(ec2: Ec2, step: Step, signal: AbortSignal): Promise<Instance> {
  const id = instanceIdOf(step.target);
  const [instance] = await ec2.find({ kind: 'one', ref: id }, { signal });
  if (!instance) throw new Failure('TargetNotFound', { what: 'Instance', id });
  return instance;
}

/** What a look shows of an instance: the fields that plans compare, the state as the one it is getting to. */
export function seenOf({ state, name, launchTime }: Instance): JsonObject {
  return { state: settled(state), name, launchTime };
}

/** What differs from the plan, in words; undefined when nothing does. */
export function changedSince(step: Step, seen: JsonObject): string | undefined {
  const changed = Object.keys(step.saw).filter((key) => step.saw[key] !== seen[key]);
  if (changed.length === 0) return undefined;
  const words = changed.map((key) => `${key} was ${String(step.saw[key])} and is ${String(seen[key])}`);
  return `${step.target}: ${words.join(', ')}`;
}
