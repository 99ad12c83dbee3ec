// A cron workflow that finds rows and workflows that disagree, and puts each right in the way of its kind.
import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { looking } from './options.ts';

export type ReconcileReport = {
  readonly looked: number;
  readonly lost: number;
  readonly cancelled: number;
  readonly woken: number;
};

/** One run; the schedule starts it each minute. */
export async function reconcile(): Promise<ReconcileReport> {
  const { closeLostTasks, wakeTasksBehind } = proxyActivities<Activities>(looking);
  const { looked, lost, cancelled } = await closeLostTasks();
  const { woken } = await wakeTasksBehind();
  return { looked, lost, cancelled, woken };
}
