// Setting one tag; setting it to null removes it.
import type { Ec2 } from '../../clients/ec2.ts';
import { Failure } from '../../domain/failures.ts';
import { instanceIdOf } from '../../domain/instance.ts';
import type { Step } from '../../domain/plan.ts';
import type { StepRunner } from './runner.ts';
import { changedSince, instanceOf } from './runner.ts';

function argsOf({ args }: Step): { readonly key: string; readonly value: string | null } {
  const { key, value } = args;
  if (typeof key !== 'string' || (typeof value !== 'string' && value !== null)) {
    throw new Failure('CloudInvalid', { why: 'a tag step needs a key and a value' });
  }
  return { key, value };
}

export const tagRunner = (ec2: Ec2): StepRunner => ({
  indifferent: true,
  look: async (step, { mine, signal }) => {
    const { key, value } = argsOf(step);
    const instance = await instanceOf(ec2, step, signal);
    const seen = { value: instance.tags[key] ?? null };
    if (instance.state === 'terminated' || instance.state === 'shutting-down') {
      return { verdict: 'else', seen: { ...seen, state: instance.state }, why: `${step.target} is ${instance.state}` };
    }
    if (seen.value === value) return { verdict: 'as_wanted', seen };
    const changed = mine ? undefined : changedSince(step, seen);
    return changed === undefined ? { verdict: 'as_planned', seen } : { verdict: 'else', seen, why: changed };
  },
  act: (step) => {
    const { key, value } = argsOf(step);
    return ec2.setTag(instanceIdOf(step.target), key, value);
  },
});
