// The workflow of a job in Temporal against an outside that a test makes up: what would take days takes a moment.
import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { JobActivities } from '../../activities/jobs.ts';
import type { LeaseActivities } from '../../activities/leases.ts';
import type { MemberActivities } from '../../activities/members.ts';
import { workflowBundlePath } from '../../config/paths.ts';
import type { NewJobInput } from '../../domain/activity.ts';

export type Outside = Partial<JobActivities & Pick<MemberActivities, 'askReady'> & Pick<LeaseActivities, 'joinLines'>>;

/** A job of which nothing is asked but a command. */
export function anyJob(): NewJobInput {
  return {
    id: `job-${randomBytes(6).toString('hex')}`,
    tenant: 'default',
    memberId: '00000000-0000-4000-8000-000000000000',
    taskId: '00000000-0000-4000-8000-000000000001',
    by: 'test',
    spec: {
      command: 'train',
      restartCommand: null,
      stdin: null,
      cwd: '/',
      env: {},
      secrets: {},
      maxRetries: 3,
      retryBackoffS: 5,
      noRetryExitCodes: [],
      resume: 'onInterruption',
      timeoutS: 0,
      silenceS: 0,
      checkpoint: null,
      onFinish: 'keep',
      start: 'if_stopped',
      exclusive: false,
      priority: 0,
      dependsOn: [],
      artifacts: [],
      labels: {},
    },
  };
}

/** Where everything is to be had at once, but for what the test says. */
const willing: Outside = {
  registerJob: async () => undefined,
  admitToSlot: async () => ({ kind: 'admitted' }),
  noteOfJob: async () => undefined,
  askReady: async () => ({ ready: true }),
  joinLines: async () => undefined,
  startLaunch: async ({ generation }) => ({ kind: 'running', generation }),
  watchJob: async () => ({ kind: 'completed' }),
  endJob: async () => ({ after: null }),
};

type Handle = WorkflowHandle & { readonly firstExecutionRunId: string };

/** Starts a job, hands the test its workflow, and shuts everything down after it. */
export async function runsOutside(
  outside: Outside,
  job: NewJobInput,
  check: (handle: Handle, client: Client) => Promise<void>,
): Promise<void> {
  const address = process.env['FERMATA_TEST_TEMPORAL_ADDRESS'];
  if (!address) throw new Error('run the tests with `npm test`');
  const taskQueue = `outside-${randomBytes(5).toString('hex')}`;
  const activities = { ...willing, ...outside };
  const [connection, clientConnection] = await Promise.all([
    NativeConnection.connect({ address }),
    Connection.connect({ address }),
  ]);
  const client = new Client({ connection: clientConnection });
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue, workflowBundle: { codePath: workflowBundlePath }, activities }),
    Worker.create({ connection, taskQueue: `${taskQueue}-watch`, activities }),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    await check(await client.workflow.start('runJob', { taskQueue, workflowId: job.id, args: [{ job }] }), client);
  } finally {
    workers.forEach((worker) => worker.shutdown());
    await Promise.all(running);
    await Promise.all([connection.close(), clientConnection.close()]);
  }
}

/** Once in a test file: says only what is wrong. */
export function quietWorkers(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'off', forward: {} } },
  });
}

/** How many events each run of a job has, the first one first. */
export async function runLengths(client: Client, jobId: string, runId: string): Promise<number[]> {
  const history = await client.workflow.getHandle(jobId, runId).fetchHistory();
  const events = history.events ?? [];
  const next = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  return [events.length, ...(next ? await runLengths(client, jobId, next) : [])];
}
