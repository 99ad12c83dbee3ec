// `npm run api` and `npm run worker` as they run in production: they wait in words, serve, are healthy, and end in time.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { packageRoot } from '../../config/paths.ts';
import { freePort } from '../../local/ports.ts';
import { apiAt } from '../kit/http.ts';
import type { Child } from '../kit/processes.ts';
import { runToEnd, startChild } from '../kit/processes.ts';
import type { PostgresHandle, TemporalHandle } from '../kit/servers.ts';
import { startPostgres, startTemporal } from '../kit/servers.ts';
import { until } from '../kit/until.ts';
import type { Started } from '../local/clone.ts';
import { follow } from '../local/clone.ts';
import { processesOf } from '../local/processes.ts';
import { serviceNamed } from './compose-file.ts';

/** Less than the 15 s that the compose file gives them, and what is promised to an operator. */
const STOP_MS = 10_000;

let dir: string;
let temporal: TemporalHandle;
let postgres: PostgresHandle;
let env: Record<string, string>;
let sandbox: Child;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-production-'));
  // Folders of their own, since these servers are stopped and started again.
  const args = ['--port', '0', '--data-dir', join(dir, 'sandbox')];
  [temporal, postgres, sandbox] = await Promise.all([
    startTemporal({ dir: join(dir, 'temporal') }),
    startPostgres({ dir: join(dir, 'postgres'), settings: { fsync: 'off' } }),
    startChild({ name: 'sandbox', script: 'dist/local/sandbox/main.js', args, log: join(dir, 'sandbox.log') }),
  ]);
  env = {
    PORT: String(await freePort()),
    HOST: '127.0.0.1',
    CONFIG_PATH: join(packageRoot, 'config.json'),
    FERMATA_DATA_DIR: join(dir, 'data'),
    FERMATA_TASK_QUEUE: basename(dir),
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    AWS_ENDPOINT_URL_EC2: String(sandbox.ready['ec2']),
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
  };
});
afterEach(() => {
  for (const pid of processesOf(join(dir, 'data'))) process.kill(pid, 'SIGKILL');
});
afterAll(async () => {
  await Promise.all([temporal?.stop(), postgres?.stop(), sandbox?.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

function npmRun(script: 'api' | 'worker', more: Readonly<Record<string, string>> = {}, cwd = packageRoot): Started {
  const whole = { ...process.env, NODE_OPTIONS: '', ...env, ...more };
  return follow(spawn('npm', ['run', script], { cwd, env: whole, stdio: ['ignore', 'pipe', 'pipe'] }));
}

async function expectToEnd(...started: readonly Started[]): Promise<void> {
  for (const { child } of started) child.kill('SIGTERM');
  // A signal to npm must reach the process itself: one that is left behind would go on unseen.
  await until('nothing runs any more', () => processesOf(join(dir, 'data')).length === 0, STOP_MS);
  expect(await Promise.all(started.map(({ ended }) => ended))).toEqual(started.map(() => 0));
}

/** The check of the compose file, exactly as the container would run it. */
async function isHealthy(name: 'api' | 'worker'): Promise<boolean> {
  const [kind, command, ...args] = serviceNamed(name).healthcheck?.test ?? [];
  expect([kind, command]).toEqual(['CMD', 'node']);
  return (await runToEnd(process.execPath, args, env)).code === 0;
}

test('they wait for PostgreSQL and Temporal in words, then serve, are healthy, and end', async () => {
  await Promise.all([temporal.stop(), postgres.stop()]);
  const api = npmRun('api');
  const worker = npmRun('worker');
  await Promise.all([api.says('waiting for PostgreSQL: '), worker.says('waiting for PostgreSQL: ')]);
  const { url, call, submit, end } = apiAt(`http://127.0.0.1:${env['PORT']}`);
  await expect(fetch(`${url}/livez`)).rejects.toThrow('fetch failed');
  expect(await Promise.all([isHealthy('api'), isHealthy('worker')])).toEqual([false, false]);

  await postgres.restart();
  await Promise.all([api.says('waiting for Temporal: '), worker.says('waiting for Temporal: ')]);
  await temporal.restart();
  await Promise.all([api.says('listening on'), worker.says('is ready')]);
  expect(await call('GET', '/readyz')).toMatchObject({ status: 200, body: { ready: true } });
  await until('both healthy', async () => (await isHealthy('api')) && isHealthy('worker'));

  const id = await submit('list_instances', {});
  expect(await end(id)).toMatchObject({ status: 'COMPLETED' });
  await expectToEnd(api, worker);
}, 150_000);

test('they end just as soon while they still wait', async () => {
  const nowhere = { DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/none` };
  const api = npmRun('api', nowhere);
  const worker = npmRun('worker', nowhere);
  await Promise.all([api.says('waiting for PostgreSQL: '), worker.says('waiting for PostgreSQL: ')]);
  await expectToEnd(api, worker);
});

test('a worker without the workflow bundle fails with a sentence instead of bundling by itself', async () => {
  const root = join(dir, 'no-bundle');
  mkdirSync(root);
  for (const name of ['package.json', 'config.json']) cpSync(join(packageRoot, name), join(root, name));
  symlinkSync(join(packageRoot, 'node_modules'), join(root, 'node_modules'));
  cpSync(join(packageRoot, 'dist'), join(root, 'dist'), {
    recursive: true,
    filter: (path) => basename(path) !== 'workflow-bundle.js' && !path.startsWith(join(packageRoot, 'dist', 'test')),
  });
  const worker = npmRun('worker', {}, root);
  expect(await worker.ended).toBe(2);
  expect(worker.output()).toMatch(/The workflow bundle .*workflow-bundle\.js is missing: run `npm run build` first\./);
  expect(worker.output()).not.toMatch(/^\s+at /m);
});

test('they refuse to start without a database, and the API where anybody could reach it', async () => {
  for (const script of ['api', 'worker'] as const) {
    const started = npmRun(script, { DATABASE_URL: '' });
    expect(await started.ended).toBe(2);
    expect(started.output()).toContain('DATABASE_URL is not set');
  }
  const open = npmRun('api', { HOST: '0.0.0.0', FERMATA_ALLOW_OPEN: '' });
  expect(await open.ended).toBe(2);
  expect(open.output()).toContain('without authentication the API listens on loopback only');
});
