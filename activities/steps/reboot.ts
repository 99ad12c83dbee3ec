// Rebooting: a call without a token that leaves nothing behind, so that only a passing moment of the checks shows it.
import type { Ec2 } from '../../clients/ec2.ts';
import type { Checks } from '../../domain/instance.ts';
import { instanceIdOf } from '../../domain/instance.ts';
import type { Look, StepRunner } from './runner.ts';
import { changedSince, instanceOf, seenOf } from './runner.ts';

/** EC2 looks at an instance about once a minute: what stands there may be from before the reboot, `ok` and `impaired` alike, ms. */
const OLD_OK_MS = 90_000;
const OLD_IMPAIRED_MS = 180_000;

export function rebootRunner(ec2: Ec2): StepRunner {
  /** Whether the checks have begun anew since the call: then what they say is about the new run. */
  let begun = false;

  const judge = (checks: Checks, answeredAt: number | null, mine: boolean): Pick<Look, 'verdict' | 'why'> => {
    if (!mine) return { verdict: 'as_planned' };
    if (checks === 'initializing') {
      begun = true;
      return { verdict: 'on_the_way' };
    }
    if (answeredAt === null && !begun) {
      return { verdict: 'unknown', why: 'the reboot was about to be asked for, and nothing shows whether it was' };
    }
    const sinceMs = answeredAt === null ? 0 : Date.now() - answeredAt;
    if (checks === 'ok') return { verdict: begun || sinceMs > OLD_OK_MS ? 'as_wanted' : 'on_the_way' };
    if (!begun && sinceMs <= OLD_IMPAIRED_MS) return { verdict: 'on_the_way' };
    return { verdict: 'failed', why: `status checks are ${checks} after the reboot` };
  };

  return {
    indifferent: false,
    look: async (step, { mine, answeredAt, signal }) => {
      const instance = await instanceOf(ec2, step, signal);
      const seen = seenOf(instance);
      const changed = changedSince(step, seen);
      if (changed !== undefined) return { verdict: 'else', seen, why: changed };
      const checks = mine ? await ec2.checks(instance.id, { signal }) : 'ok';
      return { ...judge(checks, answeredAt, mine), seen: { ...seen, ...(mine && { checks }) } };
    },
    act: (step) => ec2.reboot(instanceIdOf(step.target)),
  };
}
