// A worker process that knows the bare workflow only; its arguments are address, task queue and bundle.
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { endOfProcess, runMain, sayReady } from '../config/process.ts';
import type { BareActivities } from './bare-workflow.ts';

await runMain(async () => {
  const ending = endOfProcess();
  const [address = '', taskQueue = '', codePath = ''] = process.argv.slice(2);
  const activities: BareActivities = { bareActivity: async () => 'done' };
  Runtime.install({ shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection, taskQueue, workflowBundle: { codePath }, activities });
  const running = worker.run();
  ending.addEventListener('abort', () => worker.shutdown());
  sayReady();
  await running;
  await connection.close();
});
