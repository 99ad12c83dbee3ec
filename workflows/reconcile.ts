// A cron workflow that finds rows and workflows that disagree and puts each right, and what in the cloud nobody knows of.
import { patched, proxyActivities } from '@temporalio/workflow';
import type { FindingReport } from '../activities/findings.ts';
import type { GuardReport } from '../activities/guards.ts';
import type { Activities } from '../activities/index.ts';
import { looking, sweeping } from './options.ts';

export type ReconcileReport = {
  readonly looked: number;
  readonly lost: number;
  readonly cancelled: number;
  readonly woken: number;
  readonly found: FindingReport;
  readonly lostJobs: number;
  /** Folders of jobs that were removed from machines. */
  readonly cleaned: number;
};

/** One run; the schedule starts it each minute. Machines with a dead-man switch wait for nothing else here. */
export async function reconcile(): Promise<ReconcileReport & Partial<GuardReport>> {
  const { tendGuards } = proxyActivities<Activities>(sweeping);
  const [guards, report] = await Promise.allSettled([patched('tend-guards') ? tendGuards() : undefined, compare()]);
  if (guards.status === 'rejected') throw guards.reason;
  if (report.status === 'rejected') throw report.reason;
  return { ...report.value, ...guards.value };
}

async function compare(): Promise<ReconcileReport> {
  const { closeLostTasks, wakeTasksBehind, findOrphans, closeLostJobs } = proxyActivities<Activities>(looking);
  const { cleanJobFolders } = proxyActivities<Activities>(sweeping);
  const { looked, lost, cancelled } = await closeLostTasks();
  const { woken } = await wakeTasksBehind();
  const found = await findOrphans();
  const { lostJobs } = await closeLostJobs();
  const { cleaned } = await cleanJobFolders();
  return { looked, lost, cancelled, woken, found, lostJobs, cleaned };
}
