// Rebooting: a call without a token that leaves nothing behind, so that only a passing moment of the checks shows it.
import type { Ec2 } from '../../clients/ec2.ts';
import type { Checks } from '../../domain/instance.ts';
import { instanceIdOf } from '../../domain/instance.ts';
import type { Look, StepRunner } from './runner.ts';
import { changedSince, instanceOf, seenOf } from './runner.ts';

/** EC2 looks at an instance about once a minute: an `impaired` from before the reboot may stand that long, ms. */
const OLD_VERDICT_MS = 180_000;

export function rebootRunner(ec2: Ec2): StepRunner {
  /** Since when an acted step has been waiting, and whether its checks have begun anew. */
  let waiting: { readonly since: number; begun: boolean } | undefined;

  const judge = (checks: Checks, answered: boolean, mine: boolean): Pick<Look, 'verdict' | 'why'> => {
    if (!mine) return { verdict: 'as_planned' };
    if (checks === 'initializing') {
      waiting = { since: waiting?.since ?? Date.now(), begun: true };
      return { verdict: 'on_the_way' };
    }
    waiting ??= { since: Date.now(), begun: false };
    if (!answered && !waiting.begun) {
      return { verdict: 'unknown', why: 'the reboot was about to be asked for, and nothing shows whether it was' };
    }
    if (checks === 'ok') return { verdict: 'as_wanted' };
    const lasting = waiting.begun || Date.now() - waiting.since > OLD_VERDICT_MS;
    return lasting
      ? { verdict: 'failed', why: `status checks are ${checks} after the reboot` }
      : { verdict: 'on_the_way' };
  };

  return {
    indifferent: false,
    look: async (step, { mine, answered, signal }) => {
      const instance = await instanceOf(ec2, step, signal);
      const seen = seenOf(instance);
      const changed = changedSince(step, seen);
      if (changed !== undefined) return { verdict: 'else', seen, why: changed };
      const checks = mine ? await ec2.checks(instance.id, { signal }) : 'ok';
      return { ...judge(checks, answered, mine), seen: { ...seen, ...(mine && { checks }) } };
    },
    act: (step) => ec2.reboot(instanceIdOf(step.target)),
  };
}
