// The API process: waits for what it needs, listens, and stops without dropping a request.
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { hostFlaw, readEnv } from '../config/env.ts';
import { ConfigError, loadConfig } from '../config/load.ts';
import { endOfProcess, runMain, sayReady } from '../config/process.ts';
import { catalogueFlaw } from '../operations/index.ts';
import { databaseUrlOf, open } from '../service/open.ts';
import { knowsSearchAttributes } from '../service/ready.ts';
import { prepareStore, waitFor } from '../service/wait.ts';
import { createApp } from './app.ts';

/** A file of 64 MiB over a slow line; bodies of JSON have a bound of their own. */
const UPLOAD_MS = 600_000;

/** Requests that are being answered when the process is told to stop get this long, ms. */
const DRAIN_MS = 6_000;

await runMain(async () => {
  const ending = endOfProcess();
  const env = readEnv();
  const config = loadConfig(env.configPath);
  const service = open(config, env);
  const openToAll = hostFlaw(env);
  if (openToAll !== undefined) throw new ConfigError(openToAll);
  const flaw = catalogueFlaw(service.policy.risk);
  if (flaw !== undefined) throw new ConfigError(`${env.configPath}: ${flaw}`);
  const { log } = service;

  await prepareStore(databaseUrlOf(env), log, ending);
  await waitFor('Temporal', log, ending, async () => {
    if (!(await knowsSearchAttributes(service))) throw new Error('no worker has registered the search attributes yet');
  });
  const server = createServer(createApp({ service, corsOrigins: env.corsOrigins }));
  // A client that is slower than this at sending a few kilobytes is no client.
  server.headersTimeout = 10_000;
  server.requestTimeout = UPLOAD_MS;
  // Longer than the minute after which proxies close: whoever closes first resets what the other one is just sending.
  server.keepAliveTimeout = 65_000;
  await listen(server, env.port, env.host);
  log.info(`listening on http://${env.host}:${env.port}`);
  sayReady();
  if (!ending.aborted) await new Promise((resolve) => ending.addEventListener('abort', resolve, { once: true }));
  log.info('stopping: requests that are being answered are finished first');
  service.watch.release();
  await drain(server);
  log.info('stopped');
  await service.close();
});

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(taken ? new ConfigError(`Port ${port} of ${host} is taken. Set PORT to another one.`) : error);
    });
    server.listen(port, host, () => resolve());
  });
}

async function drain(server: Server): Promise<void> {
  const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  const closed = new Promise((resolve) => server.close(resolve));
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearTimeout(force);
  clearInterval(idle);
}
