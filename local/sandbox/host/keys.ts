// Makes ed25519 keys in OpenSSH's own format and keeps them in files that only their owner reads.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const algorithm = 'ssh-ed25519';

export interface KeyPair {
  /** As in an OpenSSH private key file. */
  readonly private: string;
  /** One line as in authorized_keys: algorithm, base64, comment. */
  readonly public: string;
}

/** The key in these files (`path` and `path`.pub), made at the first call. */
export function keptKey(path: string, comment: string): KeyPair {
  if (!existsSync(`${path}.pub`) || !existsSync(path)) return freshKey(path, comment);
  return { private: readFileSync(path, 'utf8'), public: readFileSync(`${path}.pub`, 'utf8').trim() };
}

/** Another key in place of the one in the files. */
export function freshKey(path: string, comment: string): KeyPair {
  const pair = makeKey(comment);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, pair.private, { mode: 0o600 });
  writeFileSync(`${path}.new.pub`, `${pair.public}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
  renameSync(`${path}.new.pub`, `${path}.pub`);
  return pair;
}

/** As `ssh-keygen -l` prints it: SHA256:... */
export function fingerprint(publicLine: string): string {
  const key = Buffer.from(publicLine.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Written here because ssh2's generator breaks one key of 256, whose public half begins with a zero. */
function makeKey(comment: string): KeyPair {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const point = Buffer.from(x, 'base64url');
  const seed = Buffer.from(d, 'base64url');
  const open = Buffer.concat([text(algorithm), text(point)]);
  const check = randomBytes(4);
  const closed = Buffer.concat([check, check, open, text(Buffer.concat([seed, point])), text(comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (closed.length % 8)) % 8 }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[text('none'), text('none'), text(''), Buffer.from([0, 0, 0, 1])],
    ...[text(open), text(Buffer.concat([closed, padding]))],
  ]);
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return {
    private: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
    public: `${algorithm} ${open.toString('base64')} ${comment}`,
  };
}

/** A string of the SSH protocol: its length in four bytes, then itself. */
function text(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
