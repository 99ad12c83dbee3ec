// One login: the host key is checked before anything secret is sent, and every way of failing has its name.
import type { Duplex } from 'node:stream';
import type { Config } from 'node-ssh';
import { NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import ssh2 from 'ssh2';
import { Failure } from '../../domain/failures.ts';
import type { SshHop, SshPlace } from './address.ts';
import { placeOf } from './address.ts';
import { textOf, wordsOf } from './errors.ts';
import { algorithmsFor, HOST_KEY_TYPES, hostKeyOf, isHostKeyType, isPinned } from './host-key.ts';
import type { HostKey, HostKeyType } from './host-key.ts';
import { readKey } from './key-file.ts';
import { leftUntil } from './waiting.ts';

/** What a login goes over: a TCP connection, or a channel through another machine. */
export interface Wire {
  readonly socket: Duplex;
  /** Gives back what it holds of the other machine's link. */
  release(): void;
}

export interface Login {
  readonly client: Client;
  readonly wire: Wire;
  readonly hostKey: HostKey;
}

export interface Timing {
  /** For one connection until the login is done. */
  readonly readyMs: number;
  readonly keepaliveMs: number;
  /** A moment of `performance.now()` after which nobody waits for the login. */
  readonly deadlineMs: number;
}

type Credentials = Pick<Config, 'privateKey' | 'password'> & { readonly authHandler: ('publickey' | 'password')[] };
/** `seen` is absent when the server has no key of a type that was asked for. */
type Attempt = Login | { readonly client?: never; readonly seen: HostKey | undefined };

/** ssh2 gives up at the beat after the last one that it missed, so that this makes three. */
const MISSED_BEATS = 2;
const ignore = () => undefined;

/**
 * Logs in over a wire of `dial`. Throws `HostKeyChanged`, `SshAuth`, `SshKeyRefused` or `SshUnreachable`.
 * A server shows one key of several, so that only when it was asked for every type is a key known to be another;
 * `learned` remembers of which type a pinned key is, so that the next login asks for that one.
 */
export async function login(
  address: SshHop,
  dial: () => Promise<Wire>,
  timing: Timing,
  learned: Map<string, HostKeyType>,
): Promise<Login> {
  const credentials = await credentialsOf(address);
  const pins = address.hostKey.fingerprints;
  const known = new Set(pins.flatMap((pin) => learned.get(pin) ?? []));
  let offered = known.size > 0 ? [...known] : HOST_KEY_TYPES;
  let seen: HostKey | undefined;
  const tried = new Set<string>();
  while (offered.length > 0) {
    const attempt = await attemptOf(address, credentials, await dial(), offered, timing);
    if (attempt.client) {
      const { fingerprint, type } = attempt.hostKey;
      if (isHostKeyType(type)) for (const pin of pins) if (isPinned(fingerprint, [pin])) learned.set(pin, type);
      return attempt;
    }
    seen ??= attempt.seen;
    for (const type of attempt.seen ? [attempt.seen.type] : offered) tried.add(type);
    offered = HOST_KEY_TYPES.filter((type) => !tried.has(type));
  }
  if (!seen) throw unreachable(address, 'it has no host key of a type that is accepted here');
  const pinned = pins.length > 0 ? pins.join(', ') : 'none';
  throw new Failure('HostKeyChanged', { host: placeOf(address), seen: seen.fingerprint, pinned });
}

/** The failure of an address that no command was sent to. */
export function unreachable(place: SshPlace, why: string): Failure {
  return new Failure('SshUnreachable', { host: placeOf(place), why });
}

async function credentialsOf({ auth }: SshHop): Promise<Credentials> {
  return auth.kind === 'key'
    ? { privateKey: await readKey(auth.path), authHandler: ['publickey'] }
    : { password: auth.password, authHandler: ['password'] };
}

async function attemptOf(
  address: SshHop,
  credentials: Credentials,
  wire: Wire,
  offered: readonly HostKeyType[],
  timing: Timing,
): Promise<Attempt> {
  let hostKey: HostKey | undefined;
  let isRefused = false;
  const connection = new NodeSSH();
  const connecting = connection.connect({
    ...credentials,
    sock: wire.socket,
    username: address.username,
    algorithms: { serverHostKey: algorithmsFor(offered), compress: ['none'] },
    hostVerifier: (blob: Buffer) => {
      hostKey = hostKeyOf(blob);
      return isPinned(hostKey.fingerprint, address.hostKey.fingerprints);
    },
    readyTimeout: readyTimeoutOf(timing),
    keepaliveInterval: timing.keepaliveMs,
    keepaliveCountMax: MISSED_BEATS,
  });
  // node-ssh stops listening at the login; an error of a client without a listener would end the process.
  const client = connection.connection;
  client?.on('error', ignore);
  // A password that has to be changed first would be waited for until the time is out.
  client?.on('change password', () => {
    isRefused = true;
    wire.socket.destroy();
  });
  try {
    await connecting;
    if (!client || !hostKey) throw new Error('logged in without a host key');
    return { client, wire, hostKey };
  } catch (error) {
    wire.socket.destroy();
    wire.release();
    if (hostKey && !isPinned(hostKey.fingerprint, address.hostKey.fingerprints)) return { seen: hostKey };
    if (/no matching host key/.test(wordsOf(error))) return { seen: undefined };
    if (isRefused || textOf(error, 'level') === 'client-authentication') throw refused(address);
    throw unreachable(address, wordsOf(error));
  }
}

/**
 * The host key that a server shows and proves to have. Nothing is trusted and nobody logs in: the connection ends
 * before it comes to that. Throws `SshUnreachable`.
 */
export async function scan(place: SshPlace, wire: Wire, timing: Timing): Promise<HostKey> {
  let hostKey: HostKey | undefined;
  const client = new ssh2.Client();
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.on('close', () => reject(new Error('it closed the connection')));
      // The handshake is complete when the server has signed with the key.
      client.on('handshake', () => resolve());
      client.connect({
        sock: wire.socket,
        username: 'nobody',
        authHandler: [],
        algorithms: { serverHostKey: algorithmsFor(HOST_KEY_TYPES), compress: ['none'] },
        hostVerifier: (blob: Buffer) => {
          hostKey = hostKeyOf(blob);
          return true;
        },
        readyTimeout: readyTimeoutOf(timing),
      });
    });
    if (!hostKey) throw new Error('it showed no host key');
    return hostKey;
  } catch (error) {
    throw unreachable(place, wordsOf(error));
  } finally {
    wire.socket.destroy();
    wire.release();
  }
}

/** ssh2 takes 0 for "never". */
function readyTimeoutOf({ readyMs, deadlineMs }: Timing): number {
  return Math.max(1, Math.min(readyMs, leftUntil(deadlineMs)));
}

function refused({ host, port, username, auth }: SshHop): Failure {
  return new Failure('SshAuth', { host: placeOf({ host, port }), username, credential: auth.kind });
}
