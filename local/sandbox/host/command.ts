// Runs one command on a host, as sshd does without a terminal: a process group of its own that outlives its link.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';

import type { ServerChannel } from 'ssh2';

import type { Group } from './processes.ts';

export interface Place {
  readonly shell: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Running {
  readonly group: Group;
  signal(name: string): void;
  /** Nobody reads or writes any more; the command finds out when it tries. */
  letGo(): void;
}

/** Undefined when it could not be started; the channel has ended then. `ended` is called once its leader has. */
export function run(command: string, channel: ServerChannel, place: Place, ended: () => void): Running | undefined {
  // A channel that is written to after its end says so by an error, which is nobody's trouble here.
  channel.on('error', () => undefined);
  channel.stderr.on('error', () => undefined);
  const child = spawn(place.shell, ['-c', command], { cwd: place.home, env: place.env, detached: true });
  child.on('error', (problem) => process.stderr.write(`sandbox: ${place.home}: ${problem.message}\n`));
  const { pid } = child;
  if (pid === undefined) {
    channel.exit(255);
    channel.end();
    return undefined;
  }
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      tell(channel, code, signal);
      ended();
      resolve();
    });
  });
  feed(channel, child);
  const output = new Output(channel);
  // As sshd: the status goes out at once, the end when nobody holds the output any more, a child in the background neither.
  void Promise.all([exited, output.copy(child.stdout, channel), output.copy(child.stderr, channel.stderr)]).then(() =>
    channel.end(),
  );
  return {
    group: { id: pid, leaderEnded: () => child.exitCode !== null || child.signalCode !== null },
    signal: (name) => send(pid, name),
    letGo: () => {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    },
  };
}

function tell(channel: ServerChannel, code: number | null, signal: NodeJS.Signals | null): void {
  if (signal === null) return channel.exit(code ?? 255);
  try {
    channel.exit(signal.slice('SIG'.length));
  } catch {
    // The protocol has no name for this one.
    channel.exit(128 + constants.signals[signal]);
  }
}

function feed(channel: ServerChannel, child: ChildProcess & { readonly stdin: Writable }): void {
  child.stdin.on('error', () => undefined);
  // What comes after the command is gone is thrown away, or the link would stand still.
  child.stdin.on('close', () => channel.resume());
  channel.pipe(child.stdin);
}

function send(pid: number, name: string): void {
  try {
    process.kill(-pid, constants.signals[signalOf(name) ?? 'SIGTERM']);
  } catch {
    // It has ended by itself.
  }
}

function signalOf(name: string): NodeJS.Signals | undefined {
  const names = ['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;
  return names.find((each) => each === `SIG${name.replace(/^SIG/, '')}`);
}

/**
 * Writes one piece at a time, of standard output and error together: a channel whose window is used up remembers a piece
 * of each, and would send the last one of standard output again in place of one of standard error.
 */
class Output {
  readonly #channel: ServerChannel;
  #turn: Promise<void> = Promise.resolve();

  constructor(channel: ServerChannel) {
    this.#channel = channel;
  }

  async copy(from: Readable, to: Writable): Promise<void> {
    try {
      for await (const piece of from) {
        this.#turn = this.#turn.then(() => this.#write(to, piece));
        await this.#turn;
      }
    } catch {
      // The link was lost, and with it the reader.
    }
  }

  async #write(to: Writable, piece: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => to.write(piece, () => resolve()));
    for (const name of ['_chunk', '_chunkcb', '_chunkErr', '_chunkcbErr']) Reflect.set(this.#channel, name, undefined);
  }
}
