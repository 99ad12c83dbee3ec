// Where a machine is reached by SSH: its address, how to log in, and the host keys that are accepted there.
import { createHash } from 'node:crypto';

/** A key is named by its path and read when it is used; its content is never in a request, an error or a log. */
export type SshAuth =
  { readonly kind: 'key'; readonly path: string } | { readonly kind: 'password'; readonly password: string };

/** The only keys accepted: pinned fingerprints `SHA256:...`, any of them. There is no "accept anything". */
export interface HostKeyRule {
  readonly fingerprints: readonly string[];
}

export interface SshHop {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly auth: SshAuth;
  readonly hostKey: HostKeyRule;
}

export interface SshAddress extends SshHop {
  /** The machine that the connection goes through: one hop. */
  readonly jump?: SshHop;
}

/** What shows a host key; nobody logs in there. */
export type SshPlace = Pick<SshAddress, 'host' | 'port' | 'jump'>;

/** For people: host and port. */
export function placeOf({ host, port }: Pick<SshHop, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The same text for the same address, all fields of it, and no secret to be read from it. */
export function identityOf(address: SshAddress): string {
  const { host, port, username, auth, hostKey, jump } = address;
  const secret = auth.kind === 'key' ? auth.path : auth.password;
  const fields = [host, port, username, auth.kind, secret, [...hostKey.fingerprints].sort()];
  const whole = JSON.stringify([...fields, jump === undefined ? null : identityOf(jump)]);
  return createHash('sha256').update(whole).digest('base64');
}
