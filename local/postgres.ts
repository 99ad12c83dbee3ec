// PostgreSQL as a program of ours: the packaged binaries on a loopback port, with a data folder and password of its own.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureLinks, postgresBinary } from './postgres-binaries.ts';
import { DATABASE_NAME, DATABASE_USER, ensureCluster, postgresEnv } from './postgres-cluster.ts';
import { postgresUser, type PostgresUser } from './postgres-user.ts';
import type { Program, Watched } from './program.ts';
import { leftBy, reclaim } from './reclaim.ts';

const LOOK_MS = 20;
// Above what any system gives out.
const NO_SUCH_PID = 4_194_305;

export interface PostgresOptions {
  readonly dir: string;
  readonly port: number;
  readonly log: string;
  /** Server settings beside ours, such as `fsync` for a throw-away server. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Who runs it where we are root; found out when left out. */
  readonly user?: PostgresUser;
}

export interface Postgres {
  readonly program: Program;
  url(database?: string): string;
}

export async function postgres(options: PostgresOptions): Promise<Postgres> {
  const { dir, port, log } = options;
  const data = join(dir, 'data');
  const binary = postgresBinary('postgres');
  ensureLinks();
  const user = options.user ?? (await postgresUser(binary));
  const password = await ensureCluster(dir, user, log);
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command = '', ...args] = [...user.prefix, binary, '-D', data, ...flags];
  const program: Program = {
    name: 'postgres',
    command,
    args,
    env: postgresEnv(),
    cwd: dir,
    log,
    channel: false,
    // Fast shutdown: connections are closed, everything is written, nothing needs recovery.
    stopSignal: 'SIGINT',
    before: () => endLeftPostgres(dir),
    ready: (watched) => acceptsConnections(data, watched),
  };
  return {
    program,
    url: (database = DATABASE_NAME) => `postgres://${DATABASE_USER}:${password}@127.0.0.1:${port}/${database}`,
  };
}

/**
 * A live server of this folder is ended. A pid that another program bears by now, or that nobody has reaped yet, would
 * make PostgreSQL refuse to start: it is replaced, and the rest of the file stays, because by it PostgreSQL sees whether
 * children of a killed server still hold the shared memory.
 */
export async function endLeftPostgres(dir: string): Promise<void> {
  const data = join(dir, 'data');
  const file = join(data, 'postmaster.pid');
  const left = leftBy(file);
  if (await reclaim(left, ['postgres', data], 'SIGINT')) return;
  if (!isTaken(left.pid)) return;
  const [, ...rest] = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, [NO_SUCH_PID, ...rest].join('\n'));
}

function isTaken(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The server writes its own pid on the first line and its state on the eighth; `pg_ctl` waits for the same. */
async function acceptsConnections(data: string, { pid, abandoned }: Watched): Promise<void> {
  while (!abandoned.aborted) {
    const lines = existsSync(join(data, 'postmaster.pid'))
      ? readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
      : [];
    if (Number(lines[0]) === pid && lines[7]?.trim() === 'ready') return;
    await sleep(LOOK_MS);
  }
}
