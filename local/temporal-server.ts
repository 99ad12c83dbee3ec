// The Temporal dev server as a program of ours: file database, the settings that were measured to be fast, one folder.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ownTemporalEnv } from './child-env.ts';
import type { Program, Watched } from './program.ts';
import { leftBy, reclaim } from './reclaim.ts';

const run = promisify(execFile);
const LOOK_MS = 25;
const CLI_MS = 10_000;
// The server's own 24 h would drop a task's history while people still ask what happened.
const RETENTION = '720h';

/** JSON values. The first removes three waits of 50 ms a task; the others lift limits made for shared servers. */
const DYNAMIC_CONFIG = {
  'history.transferProcessorMaxPollRPS': 5000,
  'frontend.namespaceRPS': 20_000,
  'matching.rps': 20_000,
  'history.rps': 20_000,
};

export interface TemporalOptions {
  readonly cli: string;
  readonly dir: string;
  readonly log: string;
  readonly port: number;
  /** No Web UI without it. */
  readonly uiPort?: number;
  readonly namespace: string;
}

type Ask = (...args: readonly string[]) => Promise<{ readonly stdout: string }>;

export interface TemporalServer {
  readonly program: Program;
  readonly address: string;
}

export async function temporalServer(options: TemporalOptions): Promise<TemporalServer> {
  const { cli, dir, namespace, port } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const env = { ...ownTemporalEnv(process.env, profileIn(dir)), GOGC: '500' };
  // An empty file would do for the CLI, but the SDK stumbles over it.
  writeFileSync(profileIn(dir), '[profile.default]\n');
  const ask: Ask = (...args) => run(cli, args, { env, timeout: CLI_MS });
  const { stdout: help } = await ask('server', 'start-dev', '--help');
  const address = `127.0.0.1:${port}`;
  const update = ['operator', 'namespace', 'update', '--address', address, '--namespace', namespace];
  const program: Program = {
    name: 'temporal',
    command: cli,
    args: ['server', 'start-dev', '--db-filename', databaseIn(dir), ...flags(options, help)],
    env,
    cwd: dir,
    log: options.log,
    channel: false,
    pidFile: pidFileIn(dir),
    stopSignal: 'SIGTERM',
    before: () => endLeftTemporal(dir),
    // Changing the namespace goes the whole way through all of the server's services.
    ready: (watched) => succeeds(watched, port, () => ask(...update, '--retention', RETENTION)),
  };
  return { program, address };
}

export async function endLeftTemporal(dir: string): Promise<void> {
  await reclaim(leftBy(pidFileIn(dir)), ['start-dev', databaseIn(dir)], 'SIGTERM');
}

/** A profile without anything, for clients that must not take the user's. */
export const profileIn = (dir: string) => join(dir, 'profile.toml');
const databaseIn = (dir: string) => join(dir, 'temporal.db');
const pidFileIn = (dir: string) => join(dir, 'temporal.pid');

function flags({ port, uiPort, namespace }: TemporalOptions, help: string): readonly string[] {
  const dynamic = Object.entries(DYNAMIC_CONFIG).map(([key, value]) => `${key}=${value}`);
  return [
    ...['--ip', '127.0.0.1', '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)]),
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
    ...(namespace === 'default' ? [] : ['--namespace', namespace]),
    ...['--log-level', 'warn', '--log-format', 'json'],
    ...dynamic.flatMap((setting) => ['--dynamic-config-value', setting]),
    // Only from CLI 1.8 on; without a network the request hangs about.
    ...(help.includes('--ui-disable-news-fetch') ? ['--ui-disable-news-fetch'] : []),
  ];
}

async function succeeds({ abandoned }: Watched, port: number, ask: () => Promise<unknown>): Promise<void> {
  while (!abandoned.aborted) {
    try {
      await connects(port);
      await ask();
      return;
    } catch {
      await sleep(LOOK_MS);
    }
  }
}

function connects(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
