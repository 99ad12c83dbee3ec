// Removing a member: its machine is stopped first, if that was asked for; keys and disks stay.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import type { MemberSettings } from '../domain/member.ts';
import type { Step } from '../domain/plan.ts';
import { usdPerHour } from '../domain/prices.ts';
import { memberOf, memberRef } from './member.ts';
import type { PlanContext } from './operation.ts';
import { changeOperation } from './operation.ts';
import { STOPS_MS, stopStep } from './targets.ts';

export const removeMember = changeOperation({
  name: 'remove_member',
  description: 'Remove a member, stopping its machine first if asked to',
  effect: 'change',
  params: z.strictObject({ member: memberRef, stop: z.boolean().optional() }),
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  keepsOnFailure: true,
  deadlineMs: ({ stop }) => (stop === true ? STOPS_MS : 0),
  plan: ({ member: ref, stop }, [instance], context) => {
    const { id, target, settings } = memberOf(context, ref);
    const runs = instance?.state === 'running' || instance?.state === 'pending';
    if (runs && stop === undefined) throw new Failure('MemberRuns', { name: settings.name, state: instance.state });
    const stops = stop === true && instance && runs ? [stopForGood(instance, context)] : [];
    const price = instance && stops.length > 0 ? usdPerHour([instance.type], context.prices) : 0;
    const left =
      runs && stop === false ? ` Its machine is left running, and nobody will watch it.${guardWords(settings)}` : '';
    return {
      steps: [
        ...stops,
        {
          id: 'forget',
          batch: 1,
          call: 'forget_member',
          target,
          args: { member: id },
          saw: {},
          says: `forget ${settings.name}`,
          undo: { none: 'register it again' },
          estimatedSeconds: 1,
        },
      ],
      says: `${stops.length > 0 ? 'Stop the machine of' : 'Remove'} ${settings.name}${stops.length > 0 ? ' and remove it' : ''}.${left}`,
      costUsdPerHour: price === null ? null : -price,
      facts: { member: settings.name, stopped: stops.length > 0 },
    };
  },
  result: (_, { facts }) => ({
    status: 'REMOVED',
    member: facts.member ?? null,
    stopped: facts.stopped ?? false,
    message: `Member '${String(facts.member)}' is removed${facts.stopped === true ? '; its machine is stopped' : ''}.`,
  }),
});

/** What ready steps brought is taken back as long as the machine runs, also what is brought only once. */
function stopForGood(instance: Instance, context: PlanContext): Step {
  const step = stopStep(instance, 0, context);
  return { ...step, args: { ...step.args, for_removal: true } };
}

/** What becomes of the dead-man switch of a machine that is left running. */
function guardWords({ cloud }: MemberSettings): string {
  if (!cloud || cloud.guardMin === null) return '';
  return ` Its dead-man switch is taken off; if it cannot be reached for that, it shuts itself down after ${cloud.guardMin} minutes.`;
}
