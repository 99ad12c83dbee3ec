// Terminating: only the very instance that was planned for, in the state in which somebody decided on it.
import type { Ec2 } from '../../clients/ec2.ts';
import { instanceIdOf } from '../../domain/instance.ts';
import type { StepRunner } from './runner.ts';
import { changedSince, instanceOf, seenOf } from './runner.ts';

export const terminateRunner = (ec2: Ec2): StepRunner => ({
  indifferent: false,
  look: async (step, { mine, signal }) => {
    const instance = await instanceOf(ec2, step, signal);
    const seen = seenOf(instance);
    if (instance.state === 'terminated') return { verdict: 'as_wanted', seen };
    if (instance.state === 'shutting-down') {
      return mine
        ? { verdict: 'on_the_way', seen }
        : { verdict: 'else', seen, why: `${step.target} is being terminated by somebody else` };
    }
    const changed = changedSince(step, seen);
    return changed === undefined ? { verdict: 'as_planned', seen } : { verdict: 'else', seen, why: changed };
  },
  act: (step) => ec2.terminate(instanceIdOf(step.target)),
});
