// Reads secrets just before they are used; what it returns goes to a machine's standard input and nowhere else.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Failure } from '../domain/failures.ts';
import type { GithubGrant } from '../domain/github-app.ts';
import type { SecretRef } from '../domain/secret.ts';
import { secretName } from '../domain/secret.ts';
import { mintToken } from './github-app.ts';

export interface SecretPlaces {
  /** Secrets of the environment by name, without their prefix. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder of secret files. */
  readonly folder: string;
  /** Commands of config by name: program and arguments. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** What their environment holds besides what they are told. */
  readonly commandEnv: Readonly<Record<string, string>>;
}

export interface Secrets {
  /** The value, without the line feed at its end; a command gets `context` in its environment. Throws `SecretUnavailable`, never with the value in it. */
  read(ref: SecretRef, context?: Readonly<Record<string, string>>): Promise<string>;
  /** Makes a token that config asks for. Throws `SecretUnavailable`, never with token or key in it. */
  mint(grant: GithubGrant): Promise<string>;
}

const COMMAND_TIMEOUT_MS = 30_000;
const LONGEST_BYTES = 65_536;
const run = promisify(execFile);

/** Secrets from these places and no others. */
export function openSecrets({ env, folder, commands, commandEnv }: SecretPlaces): Secrets {
  const find = async (ref: SecretRef, context: Readonly<Record<string, string>>): Promise<string> => {
    if ('env' in ref) return found(Object.hasOwn(env, ref.env) ? env[ref.env] : undefined, 'it is not set');
    if ('file' in ref) return readFile(join(folder, basename(ref.file)), 'utf8');
    const [program, ...args] = found(
      Object.hasOwn(commands, ref.command) ? commands[ref.command] : undefined,
      'config.json has no such command under secrets.commands',
    );
    const { stdout } = await run(found(program, 'it is empty'), args, {
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: LONGEST_BYTES,
      env: { ...commandEnv, ...context },
    });
    return stdout;
  };
  const read: Secrets['read'] = async (ref, context = {}) => {
    try {
      const value = (await find(ref, context)).replace(/\r?\n$/, '');
      return found(value === '' ? undefined : value, 'it is empty');
    } catch (error) {
      throw new Failure('SecretUnavailable', { what: secretName(ref), why: whyOf(error) });
    }
  };
  return { read, mint: async (grant) => mintToken(grant, await read(grant.app.privateKey)) };
}

class Missing extends Error {}

function found<T>(value: T | undefined, why: string): T {
  if (value === undefined) throw new Missing(why);
  return value;
}

/** A program's own words may hold the secret, so only the kind of trouble is told. */
function whyOf(error: unknown): string {
  if (error instanceof Missing) return error.message;
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' || typeof code === 'number' ? `it fails with ${code}` : 'it fails';
}
