// Every activity there is, composed once from the outside systems they use.
import type { WorkflowClient } from '@temporalio/client';
import type { Ec2 } from '../clients/ec2.ts';
import type { Postgres } from '../clients/postgres.ts';
import type { Policy } from '../domain/policy.ts';
import { leaseActivities } from './leases.ts';
import { observeActivities } from './observe.ts';
import { reconcileActivities } from './reconcile.ts';
import { recordActivities } from './record.ts';
import { stepActivities } from './steps.ts';

export interface Parts {
  readonly ec2: Ec2;
  readonly postgres: Postgres;
  readonly workflows: WorkflowClient;
  readonly policy: Policy;
  readonly taskQueue: string;
  readonly withSearchAttributes: boolean;
}

/** The activities of a worker. */
export function createActivities(parts: Parts) {
  return {
    ...recordActivities(parts),
    ...observeActivities(parts),
    ...stepActivities(parts),
    ...leaseActivities(parts),
    ...reconcileActivities(parts),
  };
}

export type Activities = ReturnType<typeof createActivities>;
