// Keeps the line of those who wait for one target, and tells them in their order when it is free; the leases are rows.
import {
  continueAsNew,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { LeaseWaiter } from '../domain/lease.ts';
import { leaseFreeSignal, queueSignal } from './messages.ts';
import { guarding } from './options.ts';

/** From the word to the recorded lease. */
const HEAD_START_MS = 1_000;

export type KeepLeasesInput = { readonly target: string; readonly waiters: readonly LeaseWaiter[] };

/** Ends when nobody waits. Whoever was told and came too late stands in line again, in the old place. */
export async function keepLeases({ target, waiters }: KeepLeasesInput): Promise<void> {
  const line = new Map(waiters.map((waiter) => [waiter.asker, waiter]));
  setHandler(queueSignal, (waiter) => void line.set(waiter.asker, waiter));
  const { watchTarget } = proxyActivities<Activities>({
    ...guarding,
    taskQueue: `${workflowInfo().taskQueue}-watch`,
  });
  while (line.size > 0) {
    const asked = [...line.values()];
    const { free } = await watchTarget({ target, waiters: asked });
    for (const asker of free) {
      const waiter = line.get(asker);
      if (waiter && asked.includes(waiter)) line.delete(asker);
      await tell(asker);
    }
    // Whoever was told comes first; the next one would find the target as free as the last.
    if (free.length > 0 && line.size > 0) await sleep(HEAD_START_MS);
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof keepLeases>({ target, waiters: [...line.values()] });
    }
  }
}

/** Who waited may be gone by now. */
async function tell(asker: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(asker).signal(leaseFreeSignal);
  } catch {
    return;
  }
}
