// Makes the files of a PostgreSQL cluster once: initdb, its password, its database.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { postgresBinary } from './postgres-binaries.ts';
import { handOver, type PostgresUser } from './postgres-user.ts';
import { Refusal } from './refusal.ts';

export const DATABASE_USER = 'fermata';
export const DATABASE_NAME = 'fermata';

/** PG* variables of the user's own would lead initdb and the server astray. */
export function postgresEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** Answers with the password. Made in a folder aside and moved in: a start killed half-way leaves no half cluster. */
export async function ensureCluster(dir: string, user: PostgresUser, log: string): Promise<string> {
  const data = join(dir, 'data');
  const passwordFile = join(dir, 'password');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(dir)) {
    if (name.startsWith('making-')) rmSync(join(dir, name), { recursive: true, force: true });
  }
  if (!existsSync(data)) {
    const making = join(dir, `making-${process.pid}-${Date.now()}`);
    writeFileSync(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
    mkdirSync(making, { mode: 0o700 });
    handOver(making, user);
    await initdb(making, passwordFile, user, log);
    renameSync(making, data);
  }
  handOver(data, user);
  return readFileSync(passwordFile, 'utf8').trim();
}

async function initdb(making: string, passwordFile: string, user: PostgresUser, log: string): Promise<void> {
  const options = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale-provider=builtin', '--locale=C.UTF-8'];
  const args = ['-D', making, '-U', DATABASE_USER, `--pwfile=${passwordFile}`, ...options];
  await feed([...user.prefix, postgresBinary('initdb'), ...args], '', log);
  const single = [postgresBinary('postgres'), '--single', '-D', making, 'postgres'];
  await feed([...user.prefix, ...single], `CREATE DATABASE ${DATABASE_NAME};\n`, log);
}

function feed(line: readonly string[], input: string, log: string): Promise<void> {
  const [command = '', ...args] = line;
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  const out = openSync(log, 'a', 0o600);
  return new Promise<void>((resolve, reject) => {
    const child = spawn(command, args, { env: postgresEnv(), stdio: ['pipe', out, out], windowsHide: true });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Refusal(`${command} could not make the database (${signal ?? `code ${code}`}): see ${log}`));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  }).finally(() => closeSync(out));
}
