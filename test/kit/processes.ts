// Our own processes as children of a test: started until they say that they are ready, killed as a test wishes.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths.ts';

export interface Child {
  readonly pid: number;
  /** What it said with its ready message. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Asks it to stop and waits until it has. Returns its exit status. */
  stop(): Promise<number | null>;
  kill9(): Promise<void>;
  pause(): void;
  resume(): void;
  start(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  /** Compiled program, relative to the package. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly log: string;
}

const READY_MS = 40_000;

/** Starts a process; rejects with the end of its log when it ends before it is ready. */
export async function startChild(options: ChildOptions): Promise<Child> {
  let child: ChildProcess | undefined;
  let ready: Record<string, unknown> = {};
  const start = async () => {
    const started = spawnOne(options);
    child = started;
    ready = await readiness(options, started);
  };
  const ended = async (signal: NodeJS.Signals): Promise<number | null> => {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return running?.exitCode ?? null;
    const exit = new Promise<number | null>((resolve) => running.once('exit', (code) => resolve(code)));
    running.kill(signal);
    return exit;
  };
  await start();
  return {
    get pid() {
      return child?.pid ?? 0;
    },
    get ready() {
      return ready;
    },
    start,
    stop: () => ended('SIGTERM'),
    kill9: async () => void (await ended('SIGKILL')),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
  };
}

function spawnOne({ script, args = [], env = {}, log }: ChildOptions): ChildProcess {
  const output = openSync(log, 'a');
  const child = spawn(process.execPath, [join(packageRoot, script), ...args], {
    cwd: packageRoot,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  return child;
}

function readiness({ name, log }: ChildOptions, child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${name} ${why}\n${readFileSync(log, 'utf8').slice(-3_000)}`));
    const patience = setTimeout(() => fail('was not ready in time'), READY_MS);
    child.once('exit', (code, signal) => {
      clearTimeout(patience);
      fail(`ended with ${code ?? signal} before it was ready`);
    });
    child.on('message', (message) => {
      if (typeof message !== 'object' || message === null || Reflect.get(message, 'type') !== 'ready') return;
      clearTimeout(patience);
      resolve(Object.fromEntries(Object.entries(message)));
    });
  });
}

/** Runs a program to its end. */
export function runToEnd(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd: packageRoot,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
