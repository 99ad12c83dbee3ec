// Waiting for targets: the line of each, watching for it to be free, and freeing what dead holders left.
import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { WorkflowClient } from '@temporalio/client';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import { livenessOf } from '../clients/temporal.ts';
import type { LeaseWaiter, LeaseWish } from '../domain/lease.ts';
import { nextInLine } from '../domain/lease.ts';
import { workflowIdOf } from '../domain/task.ts';
import { freeLease } from '../store/lease-returns.ts';
import { leasesOn } from '../store/leases.ts';
import { heartbeating } from './heartbeating.ts';

export interface LeaseActivities {
  /** Frees the leases on these targets whose holders are dead; `asker` is the task that waits. Returns the holders freed. */
  freeDeadLeases(input: { readonly targets: readonly string[]; readonly asker: string }): Promise<readonly string[]>;
  /** Stands in the line of each target. */
  joinLines(input: {
    readonly leases: readonly LeaseWish[];
    readonly asker: string;
    readonly since: string;
  }): Promise<void>;
  /** Returns when some of those who wait could have the target, or after a while without anybody. */
  watchTarget(input: {
    readonly target: string;
    readonly waiters: readonly LeaseWaiter[];
  }): Promise<{ readonly free: readonly string[] }>;
}

interface LeaseParts {
  readonly postgres: Postgres;
  readonly workflows: WorkflowClient;
  readonly taskQueue: string;
}

/** The Temporal workflow id of the line of a target. */
function lineOf(target: string): string {
  return `line-${target}`;
}

const LOOK_EVERY_MS = 500;
/** Looking whether holders live costs calls to Temporal. */
const FREE_EVERY_LOOKS = 20;
/** The line may have changed by then. */
const WATCH_MS = 20_000;

/** The activities behind waiting for a lease. */
export function leaseActivities(parts: LeaseParts): LeaseActivities {
  const { postgres, workflows, taskQueue } = parts;
  return {
    freeDeadLeases: ({ targets, asker }) => freeDead(parts, targets, workflowIdOf(asker)),
    joinLines: async ({ leases, asker, since }) => {
      for (const lease of leases) {
        const waiter: LeaseWaiter = { ...lease, asker, since };
        await workflows.signalWithStart('keepLeases', {
          workflowId: lineOf(lease.target),
          taskQueue,
          args: [{ target: lease.target, waiters: [] }],
          signal: 'queue',
          signalArgs: [waiter],
          staticSummary: `line for ${lease.target}`,
        });
      }
    },
    watchTarget: ({ target, waiters }) =>
      heartbeating(async () => {
        const { cancellationSignal: signal } = Context.current();
        const until = Date.now() + WATCH_MS;
        for (let look = 1; Date.now() < until; look += 1) {
          if (look % FREE_EVERY_LOOKS === 0) await freeDead(parts, [target]);
          const free = nextInLine(waiters, await reaching(leasesOn(postgres.db, [target])));
          if (free.length > 0) return { free: free.map(({ asker }) => asker) };
          await pause(LOOK_EVERY_MS, undefined, { signal });
        }
        return { free: [] };
      }),
  };
}

async function freeDead(
  { postgres, workflows }: LeaseParts,
  targets: readonly string[],
  asker?: string,
): Promise<string[]> {
  const freed: string[] = [];
  for (const lease of await leasesOn(postgres.db, targets)) {
    if (lease.holder === asker) continue;
    if ((await livenessOf(workflows, lease.holder, lease.holderRunId)) !== 'dead') continue;
    await freeLease(postgres, lease);
    freed.push(lease.holder);
  }
  return freed;
}
