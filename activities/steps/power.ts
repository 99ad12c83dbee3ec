// Starting and stopping: indifferent to who did it, and each other's undo.
import type { Ec2 } from '../../clients/ec2.ts';
import type { InstanceState } from '../../domain/instance.ts';
import { instanceIdOf } from '../../domain/instance.ts';
import type { Step } from '../../domain/plan.ts';
import type { StepRunner, Verdict } from './runner.ts';
import { changedSince, instanceOf, seenOf } from './runner.ts';

type Table = Readonly<Record<InstanceState, Verdict>>;

/** EC2 accepts a start only of a stopped instance, so `stopping` is waited out. */
const START: Table = {
  stopped: 'as_planned',
  stopping: 'on_the_way',
  pending: 'on_the_way',
  running: 'as_wanted',
  'shutting-down': 'else',
  terminated: 'else',
};
const STOP: Table = {
  running: 'as_planned',
  pending: 'on_the_way',
  stopping: 'on_the_way',
  stopped: 'as_wanted',
  'shutting-down': 'else',
  terminated: 'else',
};

function powerRunner(
  ec2: Ec2,
  table: Table,
  act: (step: Step) => Promise<void>,
  inUse: (step: Step) => Promise<string | undefined> = () => Promise.resolve(undefined),
): StepRunner {
  return {
    indifferent: true,
    look: async (step, { answeredAt, undo, signal }) => {
      const instance = await instanceOf(ec2, step, signal);
      const seen = seenOf(instance);
      const verdict = table[instance.state];
      if (verdict === 'else') return { verdict, seen, why: `${step.target} is ${instance.state}` };
      // A call that was answered is not made again; one that was not may be, long after the first try.
      const isNext = verdict === 'as_planned' && answeredAt === null && !undo;
      // Somebody restarted it in between: it is in the planned state, but not in the planned run.
      const changed = isNext ? changedSince(step, seen) : undefined;
      if (changed !== undefined) return { verdict: 'else', seen, why: changed };
      const use = isNext ? await inUse(step) : undefined;
      return use === undefined ? { verdict, seen } : { verdict: 'else', seen: { ...seen, use }, why: use };
    },
    act,
  };
}

export const startRunner = (ec2: Ec2) => powerRunner(ec2, START, (step) => ec2.start(instanceIdOf(step.target)));

interface BeforeStop extends Required<Pick<StepRunner, 'prepare'>> {
  /** Asked, last of all, by a step that stops only what is idle. */
  inUse(step: Step): Promise<string | undefined>;
}

export const stopRunner = (ec2: Ec2, { inUse, prepare }: BeforeStop): StepRunner => ({
  ...powerRunner(
    ec2,
    STOP,
    (step) => ec2.stop(instanceIdOf(step.target)),
    (step) => (step.args.if_idle === true ? inUse(step) : Promise.resolve(undefined)),
  ),
  prepare,
});
