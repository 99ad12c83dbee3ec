// Creates the cron schedules and repairs them at every start; whether a person paused one is left as it is.
import type { Client, ScheduleOptions } from '@temporalio/client';
import { ScheduleAlreadyRunning } from '@temporalio/client';

const EVERY_MINUTE = '* * * * *';

/** Schedules carry the queue's name, so that several systems can share a namespace. */
export function reconcileScheduleId(taskQueue: string): string {
  return `${taskQueue}-reconcile`;
}

/** Makes every schedule what it should be. */
export async function repairSchedules({ schedule: schedules }: Client, taskQueue: string): Promise<void> {
  const options: ScheduleOptions = {
    scheduleId: reconcileScheduleId(taskQueue),
    spec: { cronExpressions: [EVERY_MINUTE] },
    action: {
      type: 'startWorkflow',
      workflowType: 'reconcile',
      workflowId: reconcileScheduleId(taskQueue),
      taskQueue,
      args: [],
      workflowExecutionTimeout: '10m',
    },
    policies: { overlap: 'SKIP', catchupWindow: '1m' },
    state: { note: 'Compares rows with workflows. Pause it with `temporal schedule toggle --pause`.' },
  };
  try {
    await schedules.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, action, policies } = options;
    await schedules.getHandle(options.scheduleId).update(({ state }) => ({
      spec,
      action: { ...action, workflowId: options.scheduleId },
      policies: { ...policies },
      state,
    }));
  }
}
