// Creates the cron schedules and repairs them at every start; whether a person paused one is left as it is.
import type { Client, ScheduleOptions } from '@temporalio/client';
import { ScheduleAlreadyRunning } from '@temporalio/client';
import type { Duration } from '@temporalio/common';

const EVERY_MINUTE = '* * * * *';

/** Schedules carry the queue's name, so that several systems can share a namespace. */
export function reconcileScheduleId(taskQueue: string): string {
  return `${taskQueue}-reconcile`;
}

/** The id of the schedule behind idle stops. */
export function sweepScheduleId(taskQueue: string): string {
  return `${taskQueue}-sweep-idle`;
}

/** Makes every schedule what it should be; `timeScale` shortens the minute of the idle sweep. */
export async function repairSchedules(client: Client, taskQueue: string, timeScale: number): Promise<void> {
  await repair(client, {
    scheduleId: reconcileScheduleId(taskQueue),
    workflowType: 'reconcile',
    taskQueue,
    cron: EVERY_MINUTE,
    timeout: '10m',
    note: 'Compares rows with workflows.',
  });
  await repair(client, {
    scheduleId: sweepScheduleId(taskQueue),
    workflowType: 'sweepIdle',
    taskQueue,
    // Cron knows no less than a minute; Temporal adds this form.
    cron: timeScale === 1 ? EVERY_MINUTE : `@every ${Math.max(1, Math.round(60 * timeScale))}s`,
    timeout: '2m',
    note: 'Looks for idle machines and stops them.',
  });
}

interface Wanted {
  readonly scheduleId: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  readonly cron: string;
  readonly timeout: Duration;
  readonly note: string;
}

async function repair({ schedule: schedules }: Client, wanted: Wanted): Promise<void> {
  const { scheduleId, workflowType, taskQueue, cron, timeout, note } = wanted;
  const options: ScheduleOptions = {
    scheduleId,
    spec: { cronExpressions: [cron] },
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId: scheduleId,
      taskQueue,
      args: [],
      workflowExecutionTimeout: timeout,
    },
    policies: { overlap: 'SKIP', catchupWindow: '1m' },
    state: { note: `${note} Pause it with \`temporal schedule toggle --pause\`.` },
  };
  try {
    await schedules.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { spec, action, policies } = options;
    await schedules.getHandle(scheduleId).update(({ state }) => ({
      spec,
      action: { ...action, workflowId: scheduleId },
      policies: { ...policies },
      state,
    }));
  }
}
