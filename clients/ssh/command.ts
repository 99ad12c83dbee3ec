// One command on a channel of its own: what it wrote, how it ended, and an honest "unknown" when nobody can say.
import type { Client, ClientChannel } from 'ssh2';
import { conversationOf, quit } from './conversation.ts';
import { wordsOf } from './errors.ts';
import type { Link } from './link.ts';
import type { Stdin } from './stdin.ts';
import { interruptionOf, within } from './waiting.ts';
import type { Interruption } from './waiting.ts';

export interface RunRequest {
  /** For the login shell of the user. */
  readonly command: string;
  /** Sent as fast as the command reads it, and then its end; the end at once when there is none. */
  readonly stdin?: Stdin;
  /** For all of it: waiting for a channel, the login, the command. */
  readonly timeoutMs: number;
  /** How much of stdout and of stderr is kept, each. The rest is read and counted. */
  readonly capBytes: number;
  /** Takes stdout as it comes instead of keeping it. One that is slow slows the command. */
  readonly onStdout?: (chunk: Uint8Array) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

export interface Ran {
  /** Null: it is not known whether it ended, nor how. Ended by a signal it is 128 and the signal's number. */
  readonly code: number | null;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly truncated: boolean;
  /** Why `code` is null. */
  readonly lost?: Interruption;
}

/** The server opened no channel, or the link was lost before it did: nothing was sent. */
export interface NotSent {
  readonly notSent: 'refused' | 'link';
  readonly why: string;
}

/** How long what was sent before a loss may take to arrive. */
const DRAIN_MS = 500;
/** What ssh2 says when no request was sent; after anything else one may have been. */
const NEVER_SENT = /^(Not connected|No response from server|Channel is not open|No free channels available)$/;

/** Runs a command on a link until `deadlineMs` of `performance.now()`. Throws what `stdin` and `onStdout` throw. */
export async function runOn(link: Link, request: RunRequest, deadlineMs: number): Promise<Ran | NotSent> {
  const conversation = conversationOf(request);
  const interruption = interruptionOf(link, request.signal, deadlineMs);
  try {
    const opening = open(link.client, request.command, conversation.begin);
    const first = await Promise.race([opening, interruption.happened]);
    // When the link is lost, ssh2 tells in a moment whether the request had been sent.
    const opened = first === 'link' ? ((await within(opening, DRAIN_MS)) ?? first) : first;
    if (typeof opened === 'string') {
      // A channel that opens after all is closed.
      void opening.then((late) => typeof late === 'object' && 'channel' in late && quit(late.channel));
      return conversation.answer(opened === 'unknown' ? 'link' : opened);
    }
    if ('notSent' in opened) return opened;
    const ended = await Promise.race([conversation.ended, interruption.happened]).catch((error: unknown) => {
      quit(opened.channel);
      throw error;
    });
    if (ended === 'link') await within(conversation.ended, DRAIN_MS);
    else if (ended !== 'closed') quit(opened.channel);
    return conversation.answer(ended === 'closed' ? undefined : ended);
  } finally {
    interruption.end();
    conversation.end();
  }
}

/** `unknown`: the request was sent, and the channel or the link was gone before it was answered. */
function open(
  client: Client,
  command: string,
  begin: (channel: ClientChannel) => void,
): Promise<{ readonly channel: ClientChannel } | NotSent | 'unknown'> {
  return new Promise((resolve) => {
    const fail = (error: unknown) => {
      const why = wordsOf(error);
      if (Reflect.get(Object(error), 'reason') !== undefined) resolve({ notSent: 'refused', why });
      else resolve(NEVER_SENT.test(why) ? { notSent: 'link', why } : 'unknown');
    };
    try {
      client.exec(command, (error, channel) => {
        if (error) return fail(error);
        // Here and now: what arrived together with the answer is handed out next.
        begin(channel);
        resolve({ channel });
      });
    } catch (error) {
      fail(error);
    }
  });
}
