// Reading the cloud: for the operations that only read, and for a plan, which is hashed here.
import { createHash } from 'node:crypto';
import type { Ec2 } from '../clients/ec2.ts';
import type { PlanInput, ReadAnswer } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { Plan, PlanDraft } from '../domain/plan.ts';
import { planText } from '../domain/plan.ts';
import { operationOf } from '../operations/index.ts';
import { attempt } from './attempt.ts';

export interface ObserveActivities {
  read(input: PlanInput): Promise<ReadAnswer>;
  /** Makes the plan of a change; throws why there is none. */
  makePlan(input: PlanInput): Promise<Plan>;
}

/** The activities that only look. */
export function observeActivities({ ec2 }: { ec2: Ec2 }): ObserveActivities {
  return {
    read: (input) =>
      attempt(input, async (attempts, signal) => {
        const prepared = operationOf(input.operation).prepare(input.params);
        if (prepared.effect !== 'read') throw new Failure('PlanRefused', { why: `${input.operation} is not a read` });
        return { result: prepared.answer(await ec2.find(prepared.reads, { signal })), attempts };
      }),
    makePlan: (input) =>
      attempt(input, async (_, signal) => {
        const prepared = operationOf(input.operation).prepare(input.params);
        if (prepared.effect === 'read') return hashed(planOfRead(input.operation));
        const seen = await ec2.find(prepared.reads, { signal });
        return hashed(prepared.plan(seen, { region: ec2.region }));
      }),
  };
}

/** Config may want a decision even on a read: then there is a plan to decide on, without a step. */
function planOfRead(operation: string): PlanDraft {
  return {
    steps: [],
    says: `${operationOf(operation).description}; nothing is changed.`,
    costUsdPerHour: 0,
    facts: {},
  };
}

function hashed(draft: PlanDraft): Plan {
  return { ...draft, digest: createHash('sha256').update(planText(draft)).digest('hex') };
}
