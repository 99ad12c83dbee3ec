// The wires that logins go over: TCP connections, and channels through the link of another machine.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Client, ClientChannel } from 'ssh2';
import type { SshHop } from './address.ts';
import { wordsOf } from './errors.ts';
import { unreachable } from './login.ts';
import type { Wire } from './login.ts';
import type { Slot } from './queue.ts';
import { leftUntil, within } from './waiting.ts';

const ignore = () => undefined;

export interface Wires {
  direct(place: Pick<SshHop, 'host' | 'port'>): Wire;
  /** Ends all of them: goodbyes may take `patienceMs`. */
  close(patienceMs: number): Promise<void>;
}

/** Opens TCP connections and knows which there are. */
export function openWires(): Wires {
  const sockets = new Set<Socket>();
  return {
    direct: ({ host, port }) => {
      const socket = connect({ host, port, noDelay: true });
      socket.on('error', ignore);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return { socket, release: ignore };
    },
    close: async (patienceMs) => {
      const closed = () =>
        Promise.all(
          [...sockets].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))),
        );
      await within(closed(), patienceMs);
      for (const socket of sockets) socket.destroy();
      await within(closed(), patienceMs);
    },
  };
}

/** A wire through the link of a slot, which it holds until it is released. Throws `SshUnreachable`. */
export async function through(slot: Slot, place: Pick<SshHop, 'host' | 'port'>, deadlineMs: number): Promise<Wire> {
  const opening = forward(slot.link.client, place);
  const opened = await within(opening, leftUntil(deadlineMs));
  if (opened && 'channel' in opened) return { socket: opened.channel, release: slot.release };
  slot.release();
  void opening.then((late) => 'channel' in late && late.channel.destroy());
  throw unreachable(place, `through the jump host: ${opened?.why ?? 'no answer in time'}`);
}

type Forwarded = { readonly channel: ClientChannel } | { readonly why: string };

function forward(client: Client, { host, port }: Pick<SshHop, 'host' | 'port'>): Promise<Forwarded> {
  return new Promise((resolve) => {
    const fail = (error: unknown) => resolve({ why: wordsOf(error) });
    try {
      client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
        if (error) return fail(error);
        channel.on('error', ignore);
        resolve({ channel });
      });
    } catch (error) {
      fail(error);
    }
  });
}
