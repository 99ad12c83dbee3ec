// Every activity there is, composed once from the outside systems they use.
import type { WorkflowClient } from '@temporalio/client';
import type { Policy } from '../domain/policy.ts';
import { findingActivities } from './findings.ts';
import { guardActivities } from './guards.ts';
import { inspectActivities } from './inspect.ts';
import { openJobCalls } from './job-calls.ts';
import { jobActivities } from './jobs.ts';
import { jobUpkeepActivities } from './job-upkeep.ts';
import { yieldActivities } from './job-yield.ts';
import { leaseActivities } from './leases.ts';
import { memberActivities } from './members.ts';
import { observeActivities } from './observe.ts';
import type { RemoteParts } from './remote-parts.ts';
import { readyStepActivities } from './ready-steps.ts';
import { reconcileActivities } from './reconcile.ts';
import { recordActivities } from './record.ts';
import { stepActivities } from './steps.ts';
import { sweepActivities } from './sweep.ts';
import { tidyActivities } from './tidy.ts';

export interface Parts extends RemoteParts {
  readonly workflows: WorkflowClient;
  readonly policy: Policy;
  readonly taskQueue: string;
  readonly withSearchAttributes: boolean;
}

/** The activities of a worker. */
export function createActivities(outside: Parts) {
  const parts = { ...outside, calls: openJobCalls(outside.postgres) };
  const { record } = recordActivities(parts);
  return {
    record,
    ...observeActivities({ ...parts, record }),
    ...stepActivities(parts),
    ...leaseActivities(parts),
    ...inspectActivities(parts),
    ...memberActivities(parts),
    ...readyStepActivities(parts),
    ...tidyActivities(parts),
    ...reconcileActivities(parts),
    ...findingActivities(parts),
    ...sweepActivities(parts),
    ...guardActivities(parts),
    ...jobActivities(parts),
    ...yieldActivities(parts),
    ...jobUpkeepActivities(parts),
  };
}

export type Activities = ReturnType<typeof createActivities>;
