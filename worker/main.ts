// The worker process: runs workflows and activities, seals events, and keeps schedules and search attributes in order.
import { openAuditLog, openLog } from '../clients/log.ts';
import { dataPath, readEnv } from '../config/env.ts';
import { ConfigError, loadConfig } from '../config/load.ts';
import { policyOf, timeScaleFlaw } from '../config/policy.ts';
import { endOfProcess, runMain, sayReady } from '../config/process.ts';
import { catalogueFlaw } from '../operations/index.ts';
import { databaseUrlOf } from '../service/open.ts';
import { prepareStore, waitFor } from '../service/wait.ts';
import { build, logThrough } from './container.ts';
import { repairSchedules } from './schedules.ts';
import { keepSealing } from './sealing.ts';
import { registerSearchAttributes } from './search-attributes.ts';

await runMain(async () => {
  const ending = endOfProcess();
  const env = readEnv();
  const config = loadConfig(env.configPath);
  const policy = policyOf(config);
  const flaw = catalogueFlaw(policy.risk);
  if (flaw !== undefined) throw new ConfigError(`${env.configPath}: ${flaw}`);
  const hurried = timeScaleFlaw(policy, env);
  if (hurried !== undefined) throw new ConfigError(`${env.configPath}: ${hurried}`);
  const url = databaseUrlOf(env);
  const log = openLog('worker', config.logging.level);
  logThrough(log);
  const parts = build({
    env,
    policy,
    databaseUrl: url,
    withSearchAttributes: config.temporal.search_attributes,
    secretPlaces: {
      env: env.secrets,
      folder: dataPath(env, config.secrets.folder),
      commands: config.secrets.commands,
      commandEnv: env.commandEnv,
    },
  });

  await prepareStore(url, log, ending);
  const { client, connection: operator } = parts.temporal;
  await waitFor('Temporal', log, ending, async () => {
    if (config.temporal.search_attributes) await registerSearchAttributes(operator, client.options.namespace);
    await repairSchedules(client, env.taskQueue, policy.idle.timeScale);
  });
  const { workers, connection } = await waitFor('Temporal', log, ending, parts.connect);
  const audit = openAuditLog(dataPath(env, config.logging.audit_log_path), log);
  const stopSealing = new AbortController();
  const sealing = keepSealing({ postgres: parts.postgres, url, audit, log }, stopSealing.signal);

  const running = Promise.all(workers.map((worker) => worker.run()));
  const shutDown = () => workers.forEach((worker) => worker.shutdown());
  if (ending.aborted) shutDown();
  else ending.addEventListener('abort', shutDown);
  log.info(`worker of queue ${env.taskQueue} is ready`);
  sayReady();
  try {
    await running;
  } finally {
    stopSealing.abort();
    await sealing;
    audit.close();
    await connection.close();
    await parts.close();
  }
});
