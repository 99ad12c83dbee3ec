// The composition root of the worker: builds every part from config and environment, and hands them to who needs them.
import { existsSync, readFileSync } from 'node:fs';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Logger, LogLevel } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import { jobScripts } from '../activities/remote/job.ts';
import type { Scripts } from '../activities/remote-parts.ts';
import { openClouds } from '../clients/ec2.ts';
import type { Log } from '../clients/log.ts';
import { openPostgres } from '../clients/postgres.ts';
import type { SecretPlaces } from '../clients/secrets.ts';
import { openSecrets } from '../clients/secrets.ts';
import { openSsh } from '../clients/ssh/index.ts';
import { openTemporal, temporalOptions } from '../clients/temporal.ts';
import type { Env } from '../config/env.ts';
import { ConfigError } from '../config/load.ts';
import { assetPath, workflowBundlePath } from '../config/paths.ts';
import type { Policy } from '../domain/policy.ts';

/** Half of what a supervisor allows for stopping: steps hand over to another worker by their marks. */
const GRACE_MS = 4_000;

/** Watching waits for nearly all of its time. */
const WATCHES = 1_000;

interface ContainerParts {
  readonly env: Env;
  readonly policy: Policy;
  readonly databaseUrl: string;
  readonly withSearchAttributes: boolean;
  readonly secretPlaces: SecretPlaces;
}

/** Opens every client. Throws {@link ConfigError} when the workflow bundle was not built. */
export function build({ env, policy, databaseUrl, withSearchAttributes, secretPlaces }: ContainerParts) {
  if (!existsSync(workflowBundlePath)) {
    throw new ConfigError(`The workflow bundle ${workflowBundlePath} is missing: run \`npm run build\` first.`);
  }
  const place = { address: env.temporalAddress, namespace: env.temporalNamespace };
  const temporal = openTemporal(place);
  const postgres = openPostgres(databaseUrl, 20);
  const clouds = openClouds(env.region, env.ec2Endpoint);
  const ssh = openSsh();
  const secrets = openSecrets(secretPlaces);
  const { taskQueue } = env;
  const workflows = temporal.client.workflow;
  const activities = createActivities({
    clouds,
    postgres,
    ssh,
    secrets,
    scripts: readScripts(),
    workflows,
    policy,
    taskQueue,
    withSearchAttributes,
  });
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
        maxCachedWorkflows: 100,
        // A cancellation comes with the answer to a heartbeat: this bounds how long it takes.
        maxHeartbeatThrottleInterval: '1s',
        defaultHeartbeatThrottleInterval: '1s',
      });
      // What only watches has slots of its own, so that it never keeps a stop or a cancellation waiting.
      const watcher = await Worker.create({
        connection,
        namespace,
        taskQueue: `${taskQueue}-watch`,
        activities,
        shutdownGraceTime: GRACE_MS,
        shutdownForceTime: GRACE_MS * 2,
        maxConcurrentActivityTaskExecutions: WATCHES,
        maxHeartbeatThrottleInterval: '1s',
        defaultHeartbeatThrottleInterval: '1s',
      });
      return { workers: [worker, watcher], connection };
    },
    close: async () => {
      clouds.close();
      await Promise.allSettled([ssh.close(), temporal.close(), postgres.close()]);
    },
  };
}

/** The scripts that are sent to machines, as they are in the package. */
function readScripts(): Scripts {
  const text = (name: string) => readFileSync(assetPath('activities', 'remote', `${name}.sh`), 'utf8');
  return {
    exec: text('exec'),
    runner: text('runner'),
    file: text('file'),
    probe: text('probe'),
    ready: text('ready'),
    guard: text('guard'),
    jobs: jobScripts(text),
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
