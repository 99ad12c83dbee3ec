// The composition root of the worker: builds every part from config and environment, and hands them to who needs them.
import { existsSync } from 'node:fs';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Logger, LogLevel } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { openEc2 } from '../clients/ec2.ts';
import type { Log } from '../clients/log.ts';
import { openPostgres } from '../clients/postgres.ts';
import { openTemporal, temporalOptions } from '../clients/temporal.ts';
import type { Env } from '../config/env.ts';
import { ConfigError } from '../config/load.ts';
import { workflowBundlePath } from '../config/paths.ts';
import type { Policy } from '../domain/policy.ts';

/** Half of what a supervisor allows for stopping: steps hand over to another worker by their marks. */
const GRACE_MS = 4_000;

interface ContainerParts {
  readonly env: Env;
  readonly policy: Policy;
  readonly databaseUrl: string;
  readonly withSearchAttributes: boolean;
}

/** Opens every client. Throws {@link ConfigError} when the workflow bundle was not built. */
export function build({ env, policy, databaseUrl, withSearchAttributes }: ContainerParts) {
  if (!existsSync(workflowBundlePath)) {
    throw new ConfigError(`The workflow bundle ${workflowBundlePath} is missing: run \`npm run build\` first.`);
  }
  const place = { address: env.temporalAddress, namespace: env.temporalNamespace };
  const temporal = openTemporal(place);
  const postgres = openPostgres(databaseUrl, 20);
  const ec2 = openEc2(env.region, env.ec2Endpoint);
  const { taskQueue } = env;
  const workflows = temporal.client.workflow;
  const activities = createActivities({ ec2, postgres, workflows, policy, taskQueue, withSearchAttributes });
  return {
    temporal,
    postgres,
    connect: async () => {
      const { connection: options, namespace } = temporalOptions(place);
      const connection = await NativeConnection.connect(options);
      const worker = await Worker.create({
        connection,
        namespace,
        taskQueue,
        workflowBundle: { codePath: workflowBundlePath },
        activities,
        shutdownGraceTime: GRACE_MS,
        shutdownForceTime: GRACE_MS * 2,
        // A waiting task costs about a megabyte while it is cached, and a replay of a few milliseconds when it is not.
        maxCachedWorkflows: 150,
        // A cancellation comes with the answer to a heartbeat: this bounds how long it takes.
        maxHeartbeatThrottleInterval: '1s',
        defaultHeartbeatThrottleInterval: '1s',
      });
      return { worker, connection };
    },
    close: async () => {
      ec2.close();
      await Promise.allSettled([temporal.close(), postgres.close()]);
    },
  };
}

/** Sends what Temporal's own code has to say to the log of the process. */
export function logThrough(log: Log): void {
  const at = (level: LogLevel, message: string, meta?: object) => {
    if (level === 'ERROR') log.error(meta ?? {}, message);
    else if (level === 'WARN') log.warn(meta ?? {}, message);
    else log.debug(meta ?? {}, message);
  };
  const logger: Logger = {
    log: (level, message, meta) => at(level, message, meta),
    trace: (message, meta) => at('TRACE', message, meta),
    debug: (message, meta) => at('DEBUG', message, meta),
    info: (message, meta) => at('INFO', message, meta),
    warn: (message, meta) => at('WARN', message, meta),
    error: (message, meta) => at('ERROR', message, meta),
  };
  Runtime.install({ logger, shutdownSignals: [] });
}
