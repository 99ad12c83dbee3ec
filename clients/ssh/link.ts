// One link: a login that stays, for commands and for the links of machines behind it, until it is lost or ended.
import type { Client } from 'ssh2';
import type { Login } from './login.ts';

export interface Link {
  readonly client: Client;
  /** Calls once when it is gone, at once when it already is. Returns how to stop listening. */
  whenLost(listener: () => void): () => void;
  /** Ends it: a goodbye, and a moment later for good. Whoever uses it has lost it at once. */
  end(): void;
}

/** How long the goodbye may take. */
const GOODBYE_MS = 300;

/** Watches over a login. An error, an end and a close are all the same: nothing more will come. */
export function openLink({ client, wire }: Login): Link {
  const listeners = new Set<() => void>();
  let isLost = false;
  const lose = () => {
    if (isLost) return;
    isLost = true;
    wire.release();
    for (const listener of [...listeners]) listener();
    listeners.clear();
  };
  const cut = () => {
    lose();
    wire.socket.destroy();
  };
  client.on('error', cut);
  client.on('end', cut);
  client.on('close', cut);
  return {
    client,
    whenLost: (listener) => {
      if (isLost) listener();
      else listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    end: () => {
      if (isLost) return;
      lose();
      // The client would not destroy a socket that is half closed, which a frozen server leaves as it is.
      const patience = setTimeout(() => wire.socket.destroy(), GOODBYE_MS);
      wire.socket.once('close', () => clearTimeout(patience));
      client.end();
    },
  };
}
