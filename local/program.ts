// Runs one program as a process of its own: its log, when it is ready, how it is stopped.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { notePid } from './reclaim.ts';

export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly log: string;
  /** An open channel to the child: it hears that its parent is gone, even after a kill -9. */
  readonly channel: boolean;
  /** Remembers the process for a later start, where the program keeps no such file itself. */
  readonly pidFile?: string;
  readonly stopSignal: NodeJS.Signals;
  /** Before each start: ends what an earlier run left, prepares files. */
  before?(): Promise<void>;
  /** Settles once it really answers. */
  ready(watched: Watched): Promise<unknown>;
}

export interface Watched {
  readonly pid: number;
  /** The first thing that the child sent over the channel. */
  readonly message: Promise<unknown>;
  /** The child has ended: stop looking. */
  readonly abandoned: AbortSignal;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Running {
  readonly pid: number;
  readonly ready: Promise<unknown>;
  readonly ended: Promise<Ending>;
  /** Asks it to end, and kills it when it takes longer than this. */
  stop(graceMs: number): Promise<Ending>;
  kill(): Promise<Ending>;
}

export async function startProgram(program: Program): Promise<Running> {
  await program.before?.();
  const child = spawnLogged(program);
  const ended = new Promise<Ending>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
  // An IPC channel that breaks must not bring down the parent: the exit is what counts.
  child.on('error', () => undefined);
  if (program.pidFile) notePid(program.pidFile, pid);

  const abandoned = new AbortController();
  const message = new Promise<unknown>((resolve) => child.once('message', resolve));
  const died = ended.then(({ code, signal }) => {
    abandoned.abort();
    throw new Error(`${program.name} ended (${signal ?? `code ${code}`}) before it was ready`);
  });
  died.catch(() => undefined);
  const ready = Promise.race([program.ready({ pid, message, abandoned: abandoned.signal }), died]);
  ready.catch(() => undefined);

  const stop = async (graceMs: number) => {
    child.kill(program.stopSignal);
    const timer = new AbortController();
    const late = sleep(graceMs, true, { signal: timer.signal }).catch(() => false);
    if (await Promise.race([late, ended.then(() => false)])) child.kill('SIGKILL');
    timer.abort();
    return ended;
  };
  const kill = () => {
    child.kill('SIGKILL');
    return ended;
  };
  return { pid, ready, ended, stop, kill };
}

/** Output goes straight to the file: a child outlives a killed parent without a broken pipe. */
function spawnLogged(program: Program): ChildProcess {
  mkdirSync(dirname(program.log), { recursive: true, mode: 0o700 });
  const log = openSync(program.log, 'a', 0o600);
  try {
    return spawn(program.command, program.args, {
      cwd: program.cwd,
      env: program.env,
      // A group of its own: Ctrl-C in the terminal reaches the launcher alone, which stops things in order.
      detached: true,
      windowsHide: true,
      stdio: program.channel ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
}
