// One story for each branch of `runTask` and of `runJob`: run on a real system, its history is what every later version must replay.
import { setTimeout as pause } from 'node:timers/promises';
import { RebootInstancesCommand } from '@aws-sdk/client-ec2';
import { workflowIdOf } from '../../domain/task.ts';
import { decideUpdate } from '../../workflows/messages.ts';
import { jobEnds, jobIs, startJob } from '../kit/jobs.ts';
import { register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { until } from '../kit/until.ts';

export interface Branch {
  readonly name: string;
  /** Runs the story and returns the id of the task or job. */
  run(system: System): Promise<string>;
}

const approved = async ({ api }: System, operation: string, params: Record<string, unknown>) => {
  const id = await api.submit(operation, params);
  await api.reach(id, 'AWAITING_CONFIRMATION');
  await api.confirm(id, true);
  return id;
};

const deletion = async ({ api }: System) => {
  const id = await api.submit('delete_instance', { instance_id: 'vm-prod-01' });
  await api.reach(id, 'AWAITING_CONFIRMATION');
  return id;
};

const ended = async (system: System, id: string) => {
  await system.api.end(id);
  return id;
};

async function onMachine(system: System, name: string): Promise<string> {
  const instanceId = await system.cloud.make(name);
  await register(system, name);
  return instanceId;
}

/** Nobody can write to the row while the answer is there to be recorded, until it is for the workflow to record it. */
async function readRecordedLater(system: System): Promise<string> {
  await system.cloud.fault({ action: 'DescribeInstances', kind: 'throttle', times: 2 });
  const id = await system.api.submit('list_instances', {});
  await system.api.reach(id, 'RUNNING');
  const client = await system.db.connect();
  try {
    await client.query('begin');
    await client.query('select 1 from tasks where id = $1 for update', [id]);
    const handle = system.temporal.workflow.getHandle(workflowIdOf(id));
    await until('the activity gave up recording', async () => !(await handle.describe()).raw.pendingActivities?.length);
  } finally {
    await client.query('rollback');
    client.release();
  }
  return ended(system, id);
}

export const BRANCHES: readonly Branch[] = [
  { name: 'read', run: async (s) => ended(s, await s.api.submit('list_instances', {})) },
  { name: 'read-recorded-later', run: readRecordedLater },
  {
    name: 'read-not-found',
    run: async (s) => ended(s, await s.api.submit('describe_instance', { instance_id: 'nobody' })),
  },
  {
    name: 'safe-change',
    run: async (s) => ended(s, await s.api.submit('start_instance', { instance_id: 'vm-dev-01' })),
  },
  {
    name: 'nothing-to-do',
    run: async (s) => ended(s, await s.api.submit('start_instance', { instance_id: 'vm-dev-01' })),
  },
  {
    name: 'approved',
    run: async (s) =>
      ended(s, await approved(s, 'scale_down_cluster', { cluster_id: 'cluster-staging', target_nodes: 1 })),
  },
  {
    name: 'approved-after-a-late-one',
    run: async (s) => {
      const id = await deletion(s);
      await s.worker.stop();
      const handle = s.temporal.workflow.getHandle(workflowIdOf(id));
      const sent = [-1_000, 60_000].map(async (leftMs, index) => {
        await pause(index * 100);
        const validUntil = new Date(Date.now() + leftMs).toISOString();
        await handle.executeUpdate(decideUpdate, { args: [{ approve: true, by: 'anonymous', validUntil }] });
      });
      await Promise.allSettled([s.worker.start(), ...sent]);
      return ended(s, id);
    },
  },
  {
    name: 'approved-by-signal',
    run: async (s) => {
      const id = await s.api.submit('scale_down_cluster', { cluster_id: 'cluster-prod', target_nodes: 7 });
      await s.api.reach(id, 'AWAITING_CONFIRMATION');
      const handle = s.temporal.workflow.getHandle(`task-${id}`);
      await handle.signal('confirm', 'rubbish');
      await handle.signal('confirm', { confirmed: true, comment: 'from the Web UI' });
      return ended(s, id);
    },
  },
  {
    name: 'rejected',
    run: async (s) => {
      const id = await deletion(s);
      await s.api.confirm(id, false, { comment: 'not today' });
      return ended(s, id);
    },
  },
  { name: 'expired', run: async (s) => ended(s, await deletion(s)) },
  {
    name: 'cancelled-while-waiting',
    run: async (s) => {
      const id = await deletion(s);
      await s.api.cancel(id);
      return ended(s, id);
    },
  },
  {
    name: 'cancelled-while-running',
    run: async (s) => {
      const id = await approved(s, 'deploy_to_production', { service_name: 'api-gateway', image_tag: 'v2' });
      await until('acted', () => s.cloud.effects('RebootInstances').length > 0);
      await s.api.cancel(id, '?undo=true');
      return ended(s, id);
    },
  },
  {
    name: 'retried',
    run: async (s) => {
      await s.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: 2 });
      return ended(s, await s.api.submit('stop_instance', { instance_id: 'vm-staging-01' }));
    },
  },
  {
    name: 'retries-exhausted',
    run: async (s) => {
      await s.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: -1 });
      const id = await ended(s, await s.api.submit('stop_instance', { instance_id: 'vm-prod-02' }));
      await s.cloud.clearFaults();
      return id;
    },
  },
  {
    name: 'deadline',
    run: async (s) => {
      await s.cloud.fault({ action: 'RebootInstances', kind: 'throttle', times: -1 });
      const id = await ended(s, await s.api.submit('restart_instance', { instance_id: 'vm-prod-02' }));
      await s.cloud.clearFaults();
      return id;
    },
  },
  {
    name: 'superseded',
    run: async (s) => {
      const id = await deletion(s);
      await s.cloud.control('instances/vm-prod-01/fail', { state: 'stopped' });
      await s.api.confirm(id, true);
      return ended(s, id);
    },
  },
  {
    name: 'undone',
    run: async (s) => {
      await s.cloud.control('instances/web-2/checks', { status: 'impaired' });
      return ended(s, await approved(s, 'deploy_to_production', { service_name: 'web', image_tag: 'v2' }));
    },
  },
  {
    name: 'lease-conflict',
    run: async (s) => {
      const target = `us-east-1/${await s.cloud.idOf('gpu-train-01')}`;
      const holder = 'task-00000000-0000-4000-8000-000000000002';
      await s.temporal.workflow.start('runTask', { workflowId: holder, taskQueue: 'nobody-works-here', args: [{}] });
      const { runId } = await s.temporal.workflow.getHandle(holder).describe();
      await s.db.query(
        "insert into leases (target, holder, mode, holder_run_id, taken_at) values ($1, $2, 'exclusive', $3, now())",
        [target, holder, runId],
      );
      const id = await ended(s, await s.api.submit('stop_instance', { instance_id: 'gpu-train-01' }));
      await s.temporal.workflow.getHandle(holder).terminate();
      return id;
    },
  },
  {
    name: 'job',
    run: async (s) => {
      await onMachine(s, 'history-1');
      const id = await startJob(s, 'history-1', 'exit 3', { restart_command: 'true', retry_backoff_s: 0 });
      await jobEnds(s, id);
      return id;
    },
  },
  {
    name: 'job-interrupted',
    run: async (s) => {
      const instanceId = await onMachine(s, 'history-2');
      const id = await startJob(s, 'history-2', 'sleep 60', { restart_command: 'sleep 3', on_finish: 'stop' });
      await jobIs(s, id, ['running']);
      await s.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
      await jobEnds(s, id);
      return id;
    },
  },
  {
    name: 'job-cancelled',
    run: async (s) => {
      await onMachine(s, 'history-3');
      const id = await startJob(s, 'history-3', 'sleep 60');
      await jobIs(s, id, ['running']);
      await s.temporal.workflow.getHandle(id).cancel();
      await jobEnds(s, id);
      return id;
    },
  },
];
