// How a task waits for targets that others use: in the line of each, woken when it seems to be free, for as long as its terms say.
import { ActivityFailure, condition, isCancellation, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { EventWish } from '../domain/event.ts';
import { isJobId } from '../domain/job.ts';
import type { LeaseWish } from '../domain/lease.ts';
import { guarding, looking } from './options.ts';
import type { Task } from './task-state.ts';
import { refused } from './task-state.ts';

/** A word that was lost costs so much, ms. */
const ASK_AGAIN_MS = 15_000;

/** Waits until nobody else uses the targets; after the patience of its terms it is a conflict that names the holder. */
export async function holdLeases(task: Task, leases: readonly LeaseWish[]): Promise<void> {
  const { freeDeadLeases, joinLines } = proxyActivities<Activities>(looking);
  const targets = leases.map(({ target }) => target);
  const patienceMs = task.input.withoutWaiting === true ? 0 : task.terms.leaseWaitMs;
  while (task.event?.phase === 'waiting_for_lease') {
    await freeDeadLeases({ targets, asker: task.id }).catch(unlessStopped);
    const wish: EventWish = { to: 'RUNNING', phase: 'executing', says: 'Got its leases.', leases, whenBusy: 'nothing' };
    task.leaseFree = false;
    if (await task.record(wish)) return;
    const holder = task.answer?.waitsFor ?? task.event.detail.waitsFor ?? 'somebody';
    if (isJobId(holder) && (await makeWay(task, targets))) continue;
    // By the database's clock, so that time without a worker counts as well.
    const waitedMs = task.answer ? Date.parse(task.answer.now) - Date.parse(task.event.at) : 0;
    if (waitedMs >= patienceMs) {
      throw refused('LeaseConflict', { target: targets.join(', '), holder, seconds: patienceMs / 1000 });
    }
    await joinLines({ leases, asker: workflowInfo().workflowId, since: task.event.at }).catch(unlessStopped);
    await condition(() => task.leaseFree, Math.max(1, Math.min(ASK_AGAIN_MS, patienceMs - waitedMs)));
  }
}

/** Has jobs give way to a stop of their machine; false when this is no stop, or they do not. Throws why they must not. */
async function makeWay({ id: taskId, plan }: Task, targets: readonly string[]): Promise<boolean> {
  const steps = plan?.steps ?? [];
  // What is stopped only to be forgotten would not come back to its job.
  const onlyStopped = (target: string) => {
    const own = steps.filter((step) => step.target === target);
    return own.length > 0 && own.every(({ call }) => call === 'stop_instance');
  };
  const stopped = targets.filter(onlyStopped);
  if (stopped.length === 0 || steps.some(({ args }) => args.spare_jobs === true)) return false;
  const { yieldJobs } = proxyActivities<Activities>({ ...guarding, taskQueue: `${workflowInfo().taskQueue}-watch` });
  // Those that the plan named, and no other that began since.
  const forced = steps.every(({ args }) => args.force === true) ? (plan?.guarded ?? []) : [];
  return (await yieldJobs({ taskId, targets: stopped, forced })).yielded;
}

/** Freeing dead leases and standing in line only help; when they cannot be had now, asking goes on all the same. */
function unlessStopped(error: unknown): void {
  if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
}
