// The one place that speaks SSH: commands on machines, over links that are kept, to hosts whose keys are known.
import { Failure } from '../../domain/failures.ts';
import { identityOf, placeOf } from './address.ts';
import type { SshAddress, SshPlace } from './address.ts';
import { runOn } from './command.ts';
import type { Ran, RunRequest } from './command.ts';
import { openWires, through } from './dial.ts';
import type { HostKeyType } from './host-key.ts';
import { openLane } from './lane.ts';
import type { Lane, LaneLimits } from './lane.ts';
import { openLink } from './link.ts';
import { login, scan, unreachable } from './login.ts';
import type { Wire } from './login.ts';

export type { SshAddress, SshPlace } from './address.ts';
export type { Ran, RunRequest } from './command.ts';
export { fingerprintsIn } from './host-key.ts';

export interface Ssh {
  /**
   * Runs a command. Nothing is ever sent twice: once it was sent, a loss is an answer with code null. Before that it
   * throws, certain to have had no effect: `SshUnreachable`, `SshBusy`, `SshAuth`, `HostKeyChanged`, `SshKeyRefused`.
   * What `stdin` and `onStdout` throw comes through, and the command may be running.
   */
  run(address: SshAddress, request: RunRequest): Promise<Ran>;
  /** Logs in for real, on a link of its own. Throws as `run` does before anything is sent. */
  check(address: SshAddress, timeoutMs: number): Promise<{ readonly fingerprint: string; readonly latencyMs: number }>;
  /**
   * The host key that a server shows, `SHA256:...`, and proves to have; nobody logs in and nothing is trusted. For
   * trust on first use. Throws `SshUnreachable`.
   */
  scan(place: SshPlace, timeoutMs: number): Promise<{ readonly fingerprint: string; readonly keyType: string }>;
  /** Drops the links to an address, since its machine was stopped or moved. A command on one is lost. */
  forget(address: SshAddress): void;
  /** Ends everything within 2 s; commands are lost, and later ones are refused. */
  close(): Promise<void>;
  /** What is open now, links to jump hosts and channels through them included. */
  stats(): { readonly links: number; readonly channels: number };
}

export interface SshOptions extends LaneLimits {
  readonly readyMs: number;
  /** The link is lost after three of these without a sign of life. */
  readonly keepaliveMs: number;
}

const DEFAULTS: SshOptions = {
  commandsPerLink: 8,
  tunnelsPerLink: 64,
  linksPerAddress: 3,
  waitingPerAddress: 1_000,
  idleMs: 60_000,
  refusedMs: 500,
  readyMs: 10_000,
  keepaliveMs: 5_000,
};

/** Another type of host key may have to be asked for, and a jump host may have to be logged in to first. */
const CONNECTIONS_OF_A_LOGIN = 3;
/** Half of what closing may take, since what does not close in time is cut and waited for again. */
const CLOSING_MS = 900;

/** Opens a client; it connects with the first command. The options are for tests. */
export function openSsh(options: Partial<SshOptions> = {}): Ssh {
  const settings = { ...DEFAULTS, ...options };
  const wires = openWires();
  const lanes = new Map<string, Lane>();
  const learned = new Map<string, HostKeyType>();
  let isClosed = false;

  const refuseWhenClosed = (place: SshPlace) => {
    if (isClosed) throw unreachable(place, 'the client was closed');
  };

  const laneTo = (address: SshAddress): Lane => {
    refuseWhenClosed(address);
    const id = identityOf(address);
    const known = lanes.get(id);
    if (known) return known;
    const lane = openLane(
      placeOf(address),
      () => connect(address),
      settings,
      () => {
        if (lanes.get(id) === lane) lanes.delete(id);
      },
    );
    lanes.set(id, lane);
    return lane;
  };

  const dial = async (place: SshPlace, deadlineMs: number): Promise<Wire> => {
    refuseWhenClosed(place);
    if (!place.jump) return wires.direct(place);
    const slot = await laneTo(place.jump).take('tunnel', { sinceMs: performance.now(), deadlineMs });
    return through(slot, place, deadlineMs);
  };

  const enter = (address: SshAddress, deadlineMs: number) =>
    login(address, () => dial(address, deadlineMs), { ...settings, deadlineMs }, learned);

  const connect = async (address: SshAddress) =>
    openLink(await enter(address, performance.now() + settings.readyMs * CONNECTIONS_OF_A_LOGIN));

  return {
    run: async (address, request) => {
      const sinceMs = performance.now();
      const deadlineMs = sinceMs + request.timeoutMs;
      for (;;) {
        const slot = await laneTo(address).take('command', { sinceMs, deadlineMs, signal: request.signal });
        try {
          const ran = await runOn(slot.link, request, deadlineMs);
          if (!('notSent' in ran)) return ran;
          if (ran.notSent === 'link') throw unreachable(address, `the link was lost: ${ran.why}`);
          if (!slot.refused()) throw new Failure('SshBusy', { host: placeOf(address), why: ran.why });
        } finally {
          slot.release();
        }
      }
    },
    check: async (address, timeoutMs) => {
      const begun = performance.now();
      const entered = await enter(address, begun + timeoutMs);
      openLink(entered).end();
      return { fingerprint: entered.hostKey.fingerprint, latencyMs: Math.round(performance.now() - begun) };
    },
    scan: async (place, timeoutMs) => {
      const deadlineMs = performance.now() + timeoutMs;
      const { fingerprint, type } = await scan(place, await dial(place, deadlineMs), { ...settings, deadlineMs });
      return { fingerprint, keyType: type };
    },
    forget: (address) => lanes.get(identityOf(address))?.drop(),
    close: async () => {
      isClosed = true;
      for (const lane of lanes.values()) lane.shut();
      await wires.close(CLOSING_MS);
    },
    stats: () => {
      const all = [...lanes.values()].map((lane) => lane.stats());
      return {
        links: all.reduce((sum, { links }) => sum + links, 0),
        channels: all.reduce((sum, { channels }) => sum + channels, 0),
      };
    },
  };
}
