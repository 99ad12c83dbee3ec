// A bad network in one place: a TCP proxy that resets links at random, is slow, or freezes; the same seed, the same faults.
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { randomOf } from './random.ts';

export interface ProxyOptions {
  /** Which share of the links is reset, at a random time from `minMs` to `maxMs` after it was opened. */
  readonly resetShare?: number;
  readonly minMs?: number;
  readonly maxMs?: number;
  /** Every piece, in both directions, arrives so much later. */
  readonly delayMs?: number;
  readonly seed?: number;
}

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  /** Nothing passes, nothing is closed, and new links stay without an answer, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Resets all links that are open. */
  resetAll(): void;
  stats(): { readonly opened: number; readonly open: number; readonly reset: number };
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Starts one in front of a place. */
export async function startTcpProxy(
  target: { readonly host: string; readonly port: number },
  { resetShare = 0, minMs = 20, maxMs = 180, delayMs = 0, seed }: ProxyOptions = {},
): Promise<TcpProxy> {
  const random = randomOf(seed);
  const links = new Set<readonly [Socket, Socket]>();
  let opened = 0;
  let reset = 0;
  let frozen: { readonly thawed: Promise<void>; readonly thaw: () => void } | undefined;

  const carry = (from: Socket, to: Socket) => {
    let last = Promise.resolve();
    const later = (act: () => void) => {
      last = last.then(async () => {
        if (delayMs > 0) await pause(delayMs);
        while (frozen) await frozen.thawed;
        act();
      });
    };
    from.on('data', (chunk) => {
      from.pause();
      later(() => {
        if (to.destroyed) return;
        if (to.write(chunk)) from.resume();
        else to.once('drain', () => from.resume());
      });
    });
    from.on('end', () => later(() => to.end()));
    from.on('error', () => to.destroy());
    from.on('close', () => later(() => to.destroy()));
  };

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    opened += 1;
    const far = connect({ ...target, noDelay: true, allowHalfOpen: true });
    const link = [near, far] as const;
    links.add(link);
    // Both are drawn for every link, so that the faults of one do not depend on those of another.
    const [isUnlucky, afterMs] = [random.next() < resetShare, random.between(minMs, maxMs)];
    const timer = isUnlucky ? setTimeout(() => cut(link), afterMs) : undefined;
    carry(near, far);
    carry(far, near);
    near.once('close', () => {
      clearTimeout(timer);
      links.delete(link);
    });
  });

  const cut = ([near, far]: readonly [Socket, Socket]) => {
    reset += 1;
    near.resetAndDestroy();
    far.destroy();
  };
  const thaw = () => {
    const { thaw: release } = frozen ?? {};
    frozen = undefined;
    release?.();
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, resolve);
  });
  const address = server.address();
  return {
    host: HOST,
    port: typeof address === 'object' && address ? address.port : 0,
    seed: random.seed,
    freeze: () => {
      if (frozen) return;
      let release: () => void = () => undefined;
      const thawed = new Promise<void>((resolve) => (release = resolve));
      frozen = { thawed, thaw: release };
    },
    thaw,
    resetAll: () => [...links].forEach(cut),
    stats: () => ({ opened, open: links.size, reset }),
    stop: async () => {
      thaw();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const pair of links) for (const socket of pair) socket.destroy();
      await closed;
    },
  };
}
