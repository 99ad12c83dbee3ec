// Installs a pinned moto once into the cache folder and runs its server, or says why it cannot.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const version = '5.2.5';
const cache = fileURLToPath(new URL('../../.fermata/cache/moto/', import.meta.url));
const run = promisify(execFile);

export interface Moto {
  readonly url: string;
  end(): Promise<void>;
}

/** A sentence in place of a server means that this machine cannot have one. */
export async function startMoto(): Promise<Moto | string> {
  const folder = join(cache, version);
  const python = join(folder, 'bin', 'python');
  try {
    if (!existsSync(join(folder, 'complete')) || !existsSync(python)) await install(folder, python);
  } catch (problem) {
    const [reason = ''] = String(problem).trim().split('\n').slice(-1);
    return `moto ${version} cannot be installed with python3 -m venv and pip: ${reason}`;
  }
  return serve(python);
}

async function install(folder: string, python: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  await run('python3', ['-m', 'venv', folder], { timeout: 60_000 });
  const patience = ['--retries', '1', '--timeout', '20', '--disable-pip-version-check', '--quiet'];
  await run(python, ['-m', 'pip', 'install', ...patience, `moto[server,ec2]==${version}`], { timeout: 240_000 });
  writeFileSync(join(folder, 'complete'), version);
}

async function serve(python: string): Promise<Moto> {
  const env = { ...process.env, MOTO_EC2_LOAD_DEFAULT_AMIS: 'false', AWS_DEFAULT_REGION: 'us-east-1' };
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = async () => {
    if (child.exitCode !== null) return;
    child.kill();
    await once(child, 'exit');
  };
  const lines = createInterface({ input: child.stderr });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`moto ended before it listened: ${said.join('\n')}`)));
    // Its lines are read to the end, because a pipe that nobody reads stops the server when it is full.
    lines.on('line', (line) => {
      said.push(line);
      const [, found] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
      if (found) resolve(found);
    });
  });
  return { url, end };
}
