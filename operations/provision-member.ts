// Making a member ready, whether its ready steps are due or not.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import { SHIPPED_STEPS } from '../domain/ready.ts';
import { GETS_READY_MS, memberOf, memberRef, needsOf, startRule, startWords } from './member.ts';
import { changeOperation } from './operation.ts';

export const provisionMember = changeOperation({
  name: 'provision_member',
  description: 'Make a member ready: reach it, and run its ready steps again',
  effect: 'change',
  params: z.strictObject({
    member: memberRef,
    steps: z.array(z.string().min(1).max(48)).max(20).default([]),
    // It is for a machine that runs: the next start makes it ready anyway, and brings no work by itself.
    start: startRule.default('never'),
  }),
  reads: ({ member }) => ({ kind: 'member', ref: member }),
  deadlineMs: () => 2 * GETS_READY_MS,
  plan: ({ member: ref, steps, start }, [instance], context) => {
    const member = memberOf(context, ref);
    const { name, readySteps } = member.settings;
    const known = [...SHIPPED_STEPS, ...readySteps.map((step) => step.name)];
    const unknown = steps.filter((step) => !known.includes(step));
    if (unknown.length > 0) {
      throw new Failure('PlanRefused', { why: `Member '${name}' has no ready step ${unknown.join(', ')}.` });
    }
    const which = steps.length === 0 ? 'all ready steps' : `the ready steps ${steps.join(', ')}`;
    return {
      needs: { ...needsOf(member, instance, start), provision: steps },
      steps: [],
      says: `${startWords(instance)}make ${name} ready: reach it by SSH and run ${which}.`,
      costUsdPerHour: null,
      facts: { member: name },
    };
  },
  result: (_, { facts }) => ({
    status: 'READY',
    member: facts.member ?? null,
    message: `Member '${String(facts.member)}' is ready.`,
  }),
});
