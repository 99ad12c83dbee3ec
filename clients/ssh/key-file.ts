// A private key on disk: read when it is used, refused when others may read it, and never in any text.
import { readFile, stat } from 'node:fs/promises';
import ssh2 from 'ssh2';
import { Failure } from '../../domain/failures.ts';
import { textOf } from './errors.ts';

const LARGEST_BYTES = 65_536;
const OF_OTHERS = 0o077;

/** The content of a private key. Throws `SshKeyRefused` when it is missing, open to others, encrypted or no key. */
export async function readKey(path: string): Promise<string> {
  const refuse = (why: string) => new Failure('SshKeyRefused', { path, why });
  const file = await stat(path).catch((error: unknown) => {
    throw refuse(codeOf(error) === 'ENOENT' ? 'there is no such file' : `it cannot be read (${codeOf(error)})`);
  });
  if (!file.isFile()) throw refuse('it is not a file');
  // On Windows the mode says nothing.
  if (process.platform !== 'win32' && (file.mode & OF_OTHERS) !== 0) {
    throw refuse(`others may use it (mode ${octal(file.mode)}): give it mode 0600 or 0400`);
  }
  if (file.size > LARGEST_BYTES) throw refuse(`it is larger than ${LARGEST_BYTES} bytes`);
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refuse(`it cannot be read (${codeOf(error)})`);
  });
  const flaw = flawOf(content);
  if (flaw !== undefined) throw refuse(flaw);
  return content;
}

function flawOf(content: string): string | undefined {
  const parsed: unknown = ssh2.utils.parseKey(content);
  if (parsed instanceof Error) {
    return /encrypted|passphrase/i.test(parsed.message)
      ? 'it is encrypted with a passphrase, and nobody is there to type it: use a key without one'
      : 'it is not a private key in a known format';
  }
  const [key]: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  const isPrivate: unknown = typeof key === 'object' && key !== null ? Reflect.get(key, 'isPrivateKey') : undefined;
  if (typeof isPrivate !== 'function' || Reflect.apply(isPrivate, key, []) !== true) return 'it is not a private key';
  return undefined;
}

const codeOf = (error: unknown) => textOf(error, 'code') ?? 'unknown error';
const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0');
