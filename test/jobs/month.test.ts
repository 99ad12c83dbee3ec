// The workflow of a job that runs for 30 days: one watch an hour, interruptions now and then, and a history that stays bounded.
import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { workflowBundlePath } from '../../config/paths.ts';
import type { JobActivities } from '../../activities/jobs.ts';
import type { LeaseActivities } from '../../activities/leases.ts';
import type { MemberActivities } from '../../activities/members.ts';
import type { LaunchSeen, NewJobInput } from '../../domain/activity.ts';

const HOURS = 30 * 24;
/** A machine that is rebooted once a week. */
const REBOOT_EVERY_H = 7 * 24;
/** Temporal suggests a new run at 4,096 events; what is on its way then comes on top. */
const MOST_EVENTS = 4_200;

const job: NewJobInput = {
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

/** What the outside would answer in these 30 days, without the hours in between. */
function month() {
  const counts = { watches: 0, launches: 0 };
  const watchJob = async (): Promise<LaunchSeen> => {
    counts.watches += 1;
    if (counts.watches >= HOURS) return { kind: 'completed' };
    if (counts.watches % REBOOT_EVERY_H === 0)
      return { kind: 'interrupted', why: 'booted again', begun: true, stopped: false };
    return { kind: 'running', generation: counts.launches };
  };
  const activities: Omit<JobActivities, 'cancelJob' | 'noteArtifacts' | 'awaitJobMachine' | 'watchJob'> &
    Pick<MemberActivities, 'askReady'> &
    Pick<LeaseActivities, 'joinLines'> = {
    registerJob: async () => undefined,
    admitToSlot: async () => ({ kind: 'admitted' }),
    noteOfJob: async () => undefined,
    askReady: async () => ({ ready: true }),
    joinLines: async () => undefined,
    startLaunch: async ({ generation }) => {
      counts.launches = generation;
      return { kind: 'running', generation };
    },
    endJob: async () => ({ after: null }),
  };
  return { counts, activities, watchActivities: { watchJob } };
}

/** How many events each run of the job has, the first one first. */
async function runLengths(client: Client, runId: string): Promise<number[]> {
  const history = await client.workflow.getHandle(job.id, runId).fetchHistory();
  const events = history.events ?? [];
  const next = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  return [events.length, ...(next ? await runLengths(client, next) : [])];
}

test('a job of 30 days goes on in new runs, and no run grows beyond what Temporal suggests', async () => {
  const address = process.env['FERMATA_TEST_TEMPORAL_ADDRESS'];
  if (!address) throw new Error('run the tests with `npm test`');
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const taskQueue = `month-${randomBytes(5).toString('hex')}`;
  const { counts, activities, watchActivities } = month();
  const [connection, clientConnection] = await Promise.all([
    NativeConnection.connect({ address }),
    Connection.connect({ address }),
  ]);
  const client = new Client({ connection: clientConnection });
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue, workflowBundle: { codePath: workflowBundlePath }, activities }),
    Worker.create({ connection, taskQueue: `${taskQueue}-watch`, activities: watchActivities }),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    const handle = await client.workflow.start('runJob', { taskQueue, workflowId: job.id, args: [{ job }] });
    expect(await handle.result()).toMatchObject({ state: 'completed' });
    expect(counts).toEqual({ watches: HOURS, launches: Math.floor((HOURS - 1) / REBOOT_EVERY_H) + 1 });
    const lengths = await runLengths(client, handle.firstExecutionRunId);
    process.stdout.write(
      `a job of 30 days: ${lengths.length - 1} continue-as-new, events of its runs ${lengths.join(', ')}\n`,
    );
    expect(lengths.length).toBeGreaterThan(1);
    for (const length of lengths) expect(length).toBeLessThanOrEqual(MOST_EVENTS);
  } finally {
    workers.forEach((worker) => worker.shutdown());
    await Promise.all(running);
    await Promise.all([connection.close(), clientConnection.close()]);
  }
}, 300_000);
