// What goes through the channel of one command: its stdin, its output as it comes, its end.
import { constants } from 'node:os';
import type { ClientChannel } from 'ssh2';
import type { Ran, RunRequest } from './command.ts';
import { keep } from './output.ts';
import { feed } from './stdin.ts';
import type { Interruption } from './waiting.ts';

export interface Conversation {
  begin(channel: ClientChannel): void;
  /** Resolves when the server closed the channel and all of the output came; rejects when a taker or source throws. */
  readonly ended: Promise<'closed'>;
  answer(lost: Interruption | undefined): Ran;
  /** From here on what comes is thrown away. */
  end(): void;
}

interface Exit {
  readonly code: number | null;
  readonly signal?: string | undefined;
}

const ignore = () => undefined;
/** What a shell says of a command that a signal ended, when it does not know the signal. */
const ENDED_BY_SIGNAL = 128;

/** Prepares for a channel; `begin` has to be called in the moment in which the channel is open. */
export function conversationOf({ stdin, capBytes, onStdout }: RunRequest): Conversation {
  const stdout = keep(onStdout ? 0 : capBytes);
  const stderr = keep(capBytes);
  let exit: Exit | undefined;
  let isOver = false;
  let succeed: (how: 'closed') => void = ignore;
  let fail: (error: unknown) => void = ignore;
  let leave: () => void = ignore;
  let release: () => void = ignore;
  const ended = new Promise<'closed'>((resolve, reject) => {
    succeed = resolve;
    fail = reject;
  });
  ended.catch(ignore);
  const gone = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const begin = (channel: ClientChannel) => {
    const both = [channel, channel.stderr];
    const closed = new Set<unknown>();
    for (const stream of both) {
      stream.on('error', ignore);
      stream.once('close', () => {
        if (closed.add(stream).size < both.length) return;
        leave();
        succeed('closed');
      });
    }
    release = () => both.forEach((stream) => stream.resume());
    const hand = async (chunk: Uint8Array) => {
      // Both stand still: ssh2 opens the one window of the two when either is read.
      both.forEach((stream) => stream.pause());
      await onStdout?.(chunk);
      release();
    };
    channel.on('exit', (code: number | null, signal?: string) => {
      exit = { code, signal };
    });
    channel.on('data', (chunk: Buffer) => {
      if (isOver) return;
      stdout.add(chunk);
      if (onStdout) hand(chunk).catch(fail);
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      if (!isOver) stderr.add(chunk);
    });
    // Opened when nobody waited any more: it gets nothing to read.
    if (!isOver) feed(channel, stdin, gone).catch(fail);
  };
  return {
    begin,
    ended,
    answer: (lost) => {
      const { code, signal } = lost === undefined ? endOf(exit) : { code: null };
      return {
        code,
        ...(signal === undefined ? {} : { signal }),
        stdout: stdout.text(),
        stderr: stderr.text(),
        stdoutBytes: stdout.bytes(),
        stderrBytes: stderr.bytes(),
        truncated: (!onStdout && stdout.isTruncated()) || stderr.isTruncated(),
        ...(code === null ? { lost: lost ?? 'link' } : {}),
      };
    },
    end: () => {
      isOver = true;
      leave();
      release();
    },
  };
}

/** A channel that was closed without a word about the command says nothing about how it ended. */
function endOf(exit: Exit | undefined): Exit {
  if (!exit?.signal) return { code: exit?.code ?? null };
  const known = Object.entries(constants.signals).find(([name]) => name === exit.signal);
  return { code: ENDED_BY_SIGNAL + (known?.[1] ?? 0), signal: exit.signal };
}

/** Asks for the command to be ended, which not every server does, and closes its channel. */
export function quit(channel: ClientChannel): void {
  // ssh2 would not send a signal once stdin has ended, which it has in most cases; servers take it all the same.
  const protocol: unknown = Reflect.get(partOf(channel, '_client'), '_protocol');
  const send: unknown = Reflect.get(partOf(partOf(channel, '_client'), '_protocol'), 'signal');
  const id: unknown = Reflect.get(partOf(channel, 'outgoing'), 'id');
  try {
    if (typeof send === 'function') Reflect.apply(send, protocol, [id, 'TERM']);
  } catch {
    // The link is gone, and the command with it or not.
  }
  channel.close();
}

function partOf(whole: object, name: string): object {
  const part: unknown = Reflect.get(whole, name);
  return typeof part === 'object' && part !== null ? part : {};
}
