// A whole system of its own for a test file: sandbox, worker and API as processes, a database and a task queue.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { packageRoot } from '../../config/paths.ts';
import { freePort } from '../../local/ports.ts';
import type { Cloud } from './cloud.ts';
import { cloudOf } from './cloud.ts';
import type { Api } from './http.ts';
import { apiAt } from './http.ts';
import type { Child } from './processes.ts';
import { startChild } from './processes.ts';

export interface SystemOptions {
  /** Laid over config.json, group by group. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** How long a state of an instance takes, ms. */
  readonly stateMs?: number;
  /** Further arguments of the sandbox. */
  readonly sandboxArgs?: readonly string[];
  readonly temporalAddress?: string;
  readonly databaseUrl?: string;
  readonly workers?: number;
}

export interface System {
  readonly api: Api;
  readonly cloud: Cloud;
  readonly worker: Child;
  readonly workers: readonly Child[];
  readonly apiProcess: Child;
  readonly db: pg.Pool;
  readonly databaseUrl: string;
  readonly temporal: Client;
  readonly temporalAddress: string;
  readonly taskQueue: string;
  readonly dir: string;
  logs(name: string): string;
  stop(): Promise<void>;
}

/** Starts everything; stop it in `afterAll`. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-system-'));
  const temporalAddress = options.temporalAddress ?? required('FERMATA_TEST_TEMPORAL_ADDRESS');
  const databaseUrl = await makeDatabase(options.databaseUrl ?? required('FERMATA_TEST_DATABASE_URL'));
  const taskQueue = `q-${randomBytes(5).toString('hex')}`;
  const configPath = join(dir, 'config.json');
  writeFileSync(configPath, JSON.stringify(configWith(options.config ?? {})));
  const log = (name: string) => join(dir, `${name}.log`);
  const sandbox = await startChild({
    name: 'sandbox',
    script: 'dist/local/sandbox/main.js',
    args: [
      '--port',
      '0',
      '--data-dir',
      join(dir, 'sandbox'),
      '--state-ms',
      String(options.stateMs ?? 60),
      '--check-ms',
      '400',
      ...(options.sandboxArgs ?? []),
    ],
    log: log('sandbox'),
  });
  const endpoint = String(sandbox.ready.ec2);
  const port = await freePort();
  const env = {
    PORT: String(port),
    HOST: '127.0.0.1',
    CONFIG_PATH: configPath,
    FERMATA_DATA_DIR: dir,
    FERMATA_TASK_QUEUE: taskQueue,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    AWS_ENDPOINT_URL_EC2: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'sandbox',
    AWS_SECRET_ACCESS_KEY: 'sandbox',
    ...options.env,
  };
  const start = (name: string, script: string) => startChild({ name, script, env, log: log(name) });
  const names = Array.from({ length: options.workers ?? 1 }, (_, index) => `worker-${index}`);
  const started = await Promise.allSettled([
    start('api', 'dist/api/main.js'),
    ...names.map((name) => start(name, 'dist/worker/main.js')),
  ]);
  const failed = started.find(({ status }) => status === 'rejected');
  const children = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (failed?.status === 'rejected') {
    // Children that go on would keep the test run from ending.
    await Promise.all([sandbox, ...children].map((child) => child.kill9()));
    throw failed.reason;
  }
  const [apiProcess, ...workers] = children;
  const [worker] = workers;
  if (!apiProcess || !worker) throw new Error('a system needs a worker');
  const connection = await Connection.connect({ address: temporalAddress });
  const db = new pg.Pool({ connectionString: databaseUrl, max: 3 });
  db.on('error', () => undefined);
  return {
    api: apiAt(`http://127.0.0.1:${port}`),
    cloud: cloudOf(sandbox, endpoint, String(sandbox.ready.effects)),
    worker,
    workers,
    apiProcess,
    db,
    databaseUrl,
    temporal: new Client({ connection }),
    temporalAddress,
    taskQueue,
    dir,
    logs: (name) => readFileSync(log(name), 'utf8'),
    stop: async () => {
      await Promise.all([apiProcess.stop(), ...workers.map((each) => each.stop())]);
      await Promise.allSettled([sandbox.stop(), connection.close(), db.end()]);
      // For looking at the logs of a failed test.
      if (!process.env['FERMATA_TEST_KEEP']) rmSync(dir, { recursive: true, force: true });
    },
  };
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`npm test\``);
  return value;
}

/** An empty database beside that of `adminUrl`; its URL. */
export async function makeDatabase(adminUrl: string): Promise<string> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function configWith(over: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shipped: unknown = JSON.parse(readFileSync(join(packageRoot, 'config.json'), 'utf8'));
  const base: Record<string, unknown> = Object.fromEntries(Object.entries(shipped ?? {}));
  for (const [key, value] of Object.entries(over)) {
    const former = base[key];
    base[key] =
      typeof former === 'object' && former !== null && !Array.isArray(former) && typeof value === 'object'
        ? { ...former, ...value }
        : value;
  }
  return base;
}
