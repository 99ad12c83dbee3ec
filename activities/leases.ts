// Frees what dead holders left: a holder is found out by looking at its workflow, never by the clock.
import type { WorkflowClient } from '@temporalio/client';
import type { Postgres } from '../clients/postgres.ts';
import { livenessOf } from '../clients/temporal.ts';
import { workflowIdOf } from '../domain/task.ts';
import { freeLease, leasesOn } from '../store/leases.ts';

export interface LeaseActivities {
  /** Frees the leases on these targets whose holders are dead; `asker` is the task that waits. Returns the holders freed. */
  freeDeadLeases(input: { readonly targets: readonly string[]; readonly asker: string }): Promise<readonly string[]>;
}

/** The activity behind waiting for a lease. */
export function leaseActivities({
  postgres,
  workflows,
}: {
  postgres: Postgres;
  workflows: WorkflowClient;
}): LeaseActivities {
  return {
    freeDeadLeases: async ({ targets, asker }) => {
      const freed: string[] = [];
      for (const lease of await leasesOn(postgres.db, targets)) {
        if (lease.holder === workflowIdOf(asker)) continue;
        if ((await livenessOf(workflows, lease.holder, lease.holderRunId)) !== 'dead') continue;
        await freeLease(postgres.db, lease);
        freed.push(lease.holder);
      }
      return freed;
    },
  };
}
