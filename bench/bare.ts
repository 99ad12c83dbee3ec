// The bare workflow from outside: its worker in a process of its own, and a client that runs it.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { distRoot } from '../config/paths.ts';
import { startChild } from '../test/kit/processes.ts';
import type { System } from '../test/kit/system.ts';
import type { bareWorkflow } from './bare-workflow.ts';

const TASK_QUEUE = 'bare';

export interface Bare {
  /** Runs one to its end. */
  run(): Promise<void>;
  stop(): Promise<unknown>;
}

/** Bundles once, then starts the worker on the server of this system. */
export async function startBare({ temporal, temporalAddress, dir }: System): Promise<Bare> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(distRoot, 'bench', 'bare-workflow.js'),
    logger: new DefaultLogger('WARN'),
  });
  const bundle = join(dir, 'bare-bundle.js');
  writeFileSync(bundle, code);
  const worker = await startChild({
    name: 'bare',
    script: 'dist/bench/bare-main.js',
    args: [temporalAddress, TASK_QUEUE, bundle],
    log: join(dir, 'bare.log'),
  });
  return {
    run: async () => {
      const workflowId = `bare-${randomUUID()}`;
      await temporal.workflow.execute<typeof bareWorkflow>('bareWorkflow', { taskQueue: TASK_QUEUE, workflowId });
    },
    stop: () => worker.stop(),
  };
}
