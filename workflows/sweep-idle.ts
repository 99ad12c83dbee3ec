// The cron workflow that finds idle machines: one look at all that are due, then a task for each stop that is due.
import { ParentClosePolicy, proxyActivities, startChild } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { DueStop, SweepReport } from '../domain/activity.ts';
import type { TaskInput } from '../domain/task.ts';
import { workflowIdOf } from '../domain/task.ts';
import { sweeping } from './options.ts';

/** One sweep; a Temporal Schedule starts it each minute. */
export async function sweepIdle(): Promise<SweepReport> {
  const { sweepMembers } = proxyActivities<Activities>(sweeping);
  const report = await sweepMembers();
  await Promise.all(report.stops.map(startStop));
  return report;
}

async function startStop({ taskId, name, tenant, instanceId, by, ifIdle }: DueStop): Promise<void> {
  const input: TaskInput = {
    operation: 'stop_instance',
    resource: name,
    params: { instance_id: instanceId, ...(ifIdle && { if_idle: true }) },
    tenant,
    requestedBy: by,
    submittedAt: new Date().toISOString(),
    ...(ifIdle && { withoutWaiting: true }),
  };
  await startChild('runTask', {
    workflowId: workflowIdOf(taskId),
    args: [input],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: `stop_instance on ${name}, by ${by}`,
  });
}
