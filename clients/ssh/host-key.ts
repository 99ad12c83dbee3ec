// Host keys: their fingerprints, the algorithms that can show them, and where a new machine prints its own.
import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';

/** Which algorithms show which type of key. SHA-1 signatures of RSA keys are not among them. */
const ALGORITHMS = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
} as const satisfies Record<string, readonly ServerHostKeyAlgorithm[]>;

export type HostKeyType = keyof typeof ALGORITHMS;

/** All types, in the order in which they are asked for. */
export const HOST_KEY_TYPES: readonly HostKeyType[] = Object.keys(ALGORITHMS).filter(isHostKeyType);

export interface HostKey {
  readonly type: string;
  /** `SHA256:` and 43 characters. */
  readonly fingerprint: string;
}

/** True for a type of key that can be asked for. */
export function isHostKeyType(type: string): type is HostKeyType {
  return Object.hasOwn(ALGORITHMS, type);
}

/** The algorithms to offer, so that a server can show no key of another type. */
export function algorithmsFor(types: readonly HostKeyType[]): ServerHostKeyAlgorithm[] {
  return types.flatMap((type) => [...ALGORITHMS[type]]);
}

/** A public key as it goes over the wire: a length, the name of its type, and the rest. */
export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  const fingerprint = `SHA256:${unpadded(createHash('sha256').update(blob).digest('base64'))}`;
  return { type: blob.toString('latin1', 4, 4 + length), fingerprint };
}

/** True when the fingerprint is one of those pinned; ssh-keygen leaves out the padding of base64, others do not. */
export function isPinned(fingerprint: string, pins: readonly string[]): boolean {
  return pins.some((pin) => unpadded(pin) === fingerprint);
}

function unpadded(base64: string): string {
  return base64.replace(/=+$/, '');
}

const BLOCK = /-----BEGIN SSH HOST KEY FINGERPRINTS-----([^]*?)-----END SSH HOST KEY FINGERPRINTS-----/g;
const FINGERPRINT = /(?:^|\s)(SHA256:[A-Za-z0-9+/]{43})=?(?=\s|$)/g;

/**
 * The fingerprints that cloud-init printed on the console of an EC2 instance; [] when none. Only those of the last
 * whole block count: keys of people are printed as well, and an image may have been started before with other keys.
 */
export function fingerprintsIn(consoleOutput: string): string[] {
  for (const [, block = ''] of [...consoleOutput.matchAll(BLOCK)].reverse()) {
    // A block whose end is missing must not be taken together with the next one.
    const last = block.slice(block.lastIndexOf('-----BEGIN ') + 1);
    const found = [...last.matchAll(FINGERPRINT)].map(([, fingerprint = '']) => fingerprint);
    if (found.length > 0) return [...new Set(found)];
  }
  return [];
}
