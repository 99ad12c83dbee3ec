// A cron workflow that finds rows and workflows that disagree and puts each right, and what in the cloud nobody knows of.
import { proxyActivities } from '@temporalio/workflow';
import type { FindingReport } from '../activities/findings.ts';
import type { Activities } from '../activities/index.ts';
import { looking } from './options.ts';

export type ReconcileReport = {
  readonly looked: number;
  readonly lost: number;
  readonly cancelled: number;
  readonly woken: number;
  readonly found: FindingReport;
};

/** One run; the schedule starts it each minute. */
export async function reconcile(): Promise<ReconcileReport> {
  const { closeLostTasks, wakeTasksBehind, findOrphans } = proxyActivities<Activities>(looking);
  const { looked, lost, cancelled } = await closeLostTasks();
  const { woken } = await wakeTasksBehind();
  const found = await findOrphans();
  return { looked, lost, cancelled, woken, found };
}
