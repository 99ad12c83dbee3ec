// The links to one address: more of them as they fill, no more commands on each than a server takes, none for nothing.
import { Failure, failureRow } from '../../domain/failures.ts';
import type { Link } from './link.ts';
import { openQueue } from './queue.ts';
import type { Patience, Slot, Use } from './queue.ts';

export interface LaneLimits {
  /** Servers take 10 by default (MaxSessions). */
  readonly commandsPerLink: number;
  /** Links of other machines that go through one; they are no sessions. */
  readonly tunnelsPerLink: number;
  readonly linksPerAddress: number;
  readonly waitingPerAddress: number;
  readonly idleMs: number;
  /** For how long a link that was refused a channel gets no more commands than it has. */
  readonly refusedMs: number;
}

export interface Lane {
  /** Throws `SshBusy` when all channels are in use for too long, and what the login throws. */
  take(use: Use, patience: Patience): Promise<Slot>;
  /** Ends the links. Who waits gets a new one. */
  drop(): void;
  /** Ends the links and sends away who waits. */
  shut(): void;
  stats(): { readonly links: number; readonly channels: number };
}

interface Carrier {
  readonly link: Link;
  readonly uses: Record<Use, number>;
  commandsAtMost: number;
  /** Whether a channel was ever opened on it. */
  isProven: boolean;
  idle?: NodeJS.Timeout;
  pause?: NodeJS.Timeout;
}

/** `connect` logs in once; `whenEmpty` is called whenever nothing is left of the lane. */
export function openLane(host: string, connect: () => Promise<Link>, limits: LaneLimits, whenEmpty: () => void): Lane {
  const carriers = new Set<Carrier>();
  const queue = openQueue(host);
  let isConnecting = false;
  /** A link of an earlier epoch leads to where the machine was. */
  let epoch = 0;

  const serve = () => {
    queue.serve((use) => {
      const carrier = [...carriers].find((one) => hasRoom(one, use, limits));
      return carrier && slotOn(carrier, use);
    });
    if (queue.size() > 0 && !isConnecting && carriers.size < limits.linksPerAddress) void extend();
    if (queue.size() === 0 && !isConnecting && carriers.size === 0) whenEmpty();
  };

  const extend = async () => {
    const begun = epoch;
    isConnecting = true;
    const link = await connect().catch((error: unknown) => {
      if (begun !== epoch) return 'of no interest';
      // Who waits for a channel of a link that works goes on waiting; it is tried again when one is given back.
      if (carriers.size > 0 && isRetryable(error)) return 'later';
      queue.failAll(error);
      return 'failed';
    });
    isConnecting = false;
    if (link === 'later') return;
    if (typeof link === 'object') {
      if (begun === epoch) add(link);
      else link.end();
    }
    serve();
  };

  const add = (link: Link) => {
    const uses = { command: 0, tunnel: 0 };
    const carrier: Carrier = { link, uses, commandsAtMost: limits.commandsPerLink, isProven: false };
    carriers.add(carrier);
    rest(carrier);
    link.whenLost(() => {
      clearTimeout(carrier.idle);
      clearTimeout(carrier.pause);
      carriers.delete(carrier);
      serve();
    });
  };

  const rest = (carrier: Carrier) => {
    if (!carriers.has(carrier) || carrier.uses.command + carrier.uses.tunnel > 0) return;
    carrier.idle = setTimeout(() => carrier.link.end(), limits.idleMs);
  };

  const slotOn = (carrier: Carrier, use: Use): Slot => {
    clearTimeout(carrier.idle);
    carrier.uses[use] += 1;
    let isHeld = true;
    const giveBack = () => {
      isHeld = false;
      carrier.uses[use] -= 1;
      rest(carrier);
      serve();
    };
    return {
      link: carrier.link,
      release: () => {
        if (!isHeld) return;
        carrier.isProven = true;
        giveBack();
      },
      refused: () => {
        const others = carrier.uses.command - 1;
        const canWait = others > 0 || (carrier.isProven && carrier.uses.tunnel === 0);
        if (others > 0) limit(carrier, others);
        // The server counts sessions of commands that nobody here waits for any more; a new link has none.
        else if (canWait) carrier.link.end();
        giveBack();
        return canWait;
      },
    };
  };

  const limit = (carrier: Carrier, commands: number) => {
    carrier.commandsAtMost = commands;
    clearTimeout(carrier.pause);
    carrier.pause = setTimeout(() => {
      carrier.commandsAtMost = limits.commandsPerLink;
      serve();
    }, limits.refusedMs);
  };

  const tooLate = () =>
    carriers.size > 0
      ? new Failure('SshBusy', { host, why: 'all channels were in use for as long as the request may take' })
      : new Failure('SshUnreachable', { host, why: 'no login in the time that the request may take' });

  const drop = () => {
    epoch += 1;
    for (const { link } of [...carriers]) link.end();
  };
  return {
    take: async (use, patience) => {
      if (queue.size() >= limits.waitingPerAddress) {
        throw new Failure('SshBusy', { host, why: `${queue.size()} requests wait for a channel` });
      }
      const slot = queue.enter(use, patience, tooLate);
      serve();
      return slot;
    },
    drop,
    shut: () => {
      queue.failAll(new Failure('SshUnreachable', { host, why: 'the client was closed' }));
      drop();
    },
    stats: () => ({
      links: carriers.size,
      channels: [...carriers].reduce((sum, { uses }) => sum + uses.command + uses.tunnel, 0),
    }),
  };
}

function hasRoom({ uses, commandsAtMost }: Carrier, use: Use, limits: LaneLimits): boolean {
  return use === 'command' ? uses.command < commandsAtMost : uses.tunnel < limits.tunnelsPerLink;
}

function isRetryable(error: unknown): boolean {
  return error instanceof Failure && failureRow(error.type).retryable;
}
