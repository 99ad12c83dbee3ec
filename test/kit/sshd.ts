// A real OpenSSH server on loopback for tests: keys of its own, a config of its own, no account but the current one.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

export interface Sshd {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** The private key that may log in. */
  readonly keyPath: string;
  /** `SHA256:...` of its first host key, as ssh-keygen says it. */
  readonly fingerprint: string;
  /** Of all of its host keys. */
  readonly fingerprints: readonly string[];
  /** What `~` is there: an empty folder, so that nothing of the account's own matters or is touched. */
  readonly home: string;
  /** Its keys, config, log and home. A server started again with the same folder is the same machine. */
  readonly dir: string;
  /** How often somebody logged in. */
  logins(): number;
  /** Ends all connections without a goodbye; what they ran goes on. */
  dropLinks(): void;
  stop(): Promise<void>;
}

export interface SshdOptions {
  /** Made anew, and removed at the end, unless given. */
  readonly dir?: string;
  readonly port?: number;
  readonly maxSessions?: number;
  readonly keyTypes?: readonly ('ed25519' | 'ecdsa' | 'rsa')[];
  /** Set in every session. */
  readonly env?: Readonly<Record<string, string>>;
}

const SSHD = '/usr/sbin/sshd';
const SSH_KEYGEN = '/usr/bin/ssh-keygen';
const HOST = '127.0.0.1';

/** Why there can be no such server here; undefined when there can. */
export const noSshd = existsSync(SSHD) ? undefined : `there is no ${SSHD} on this machine`;

/** Starts one and waits until it greets. Throws with its log when it does not. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'fermata-sshd-'));
  const { keyTypes = ['ed25519'] } = options;
  mkdirSync(homeOf(dir), { recursive: true, mode: 0o700 });
  const hostKeys = keyTypes.map((type) => makeKey(join(dir, `host_${type}`), type));
  const keyPath = makeKey(join(dir, 'id_ed25519'), 'ed25519');
  copyFileSync(`${keyPath}.pub`, join(dir, 'authorized_keys'));
  // A server of root separates its privileges in this folder, which the package's own start would make.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = options.port ?? (await freePort());
  const config = join(dir, 'sshd_config');
  const log = join(dir, 'sshd.log');
  writeFileSync(config, configOf(dir, port, hostKeys, options));
  const child = spawn(SSHD, ['-D', '-f', config, '-E', log, ...lenient(config)], { stdio: 'ignore' });
  try {
    await until('sshd greets', () => greeting(port, child), 10_000);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`sshd did not start\n${existsSync(log) ? readFileSync(log, 'utf8') : ''}`, { cause: error });
  }
  const fingerprints = hostKeys.map(fingerprintOf);
  return {
    host: HOST,
    port,
    username: userInfo().username,
    keyPath,
    fingerprint: fingerprints[0] ?? '',
    fingerprints,
    home: homeOf(dir),
    dir,
    logins: () => readFileSync(log, 'utf8').split('Accepted publickey').length - 1,
    dropLinks: () => killChildren(child),
    stop: async () => {
      killChildren(child);
      if (child.exitCode === null && child.signalCode === null) {
        const exit = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await exit;
      }
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Makes a key pair with ssh-keygen, unless it is there. Returns the path of the private one. */
function makeKey(path: string, type: string): string {
  if (!existsSync(path)) execFileSync(SSH_KEYGEN, ['-q', '-t', type, '-N', '', '-C', 'test', '-f', path]);
  return path;
}

/** What ssh-keygen says of a key pair: `SHA256:...`. */
function fingerprintOf(path: string): string {
  const [, fingerprint = ''] = execFileSync(SSH_KEYGEN, ['-l', '-f', `${path}.pub`], { encoding: 'utf8' }).split(' ');
  return fingerprint;
}

function configOf(dir: string, port: number, hostKeys: readonly string[], options: SshdOptions): string {
  const { maxSessions = 10, env = {} } = options;
  const setEnv = Object.entries({ HOME: homeOf(dir), ...env }).map(([name, value]) => `"${name}=${value}"`);
  return [
    `Port ${port}`,
    `ListenAddress ${HOST}`,
    ...hostKeys.map((path) => `HostKey ${path}`),
    `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
    `MaxSessions ${maxSessions}`,
    'AllowTcpForwarding local',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'UsePAM no',
    'StrictModes no',
    'PermitUserRC no',
    'PrintMotd no',
    'PidFile none',
    'MaxStartups 200',
    'LogLevel VERBOSE',
    `SetEnv ${setEnv.join(' ')}`,
    '',
  ].join('\n');
}

const homeOf = (dir: string) => join(dir, 'home');

/** Newer servers make an address wait after a refused login; all of the tests come from one address. */
function lenient(config: string): string[] {
  const penalties = ['-o', 'PerSourcePenalties=no'];
  return spawnSync(SSHD, ['-t', '-f', config, ...penalties]).status === 0 ? penalties : [];
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

function greeting(port: number, child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`sshd ended with ${child.exitCode}`);
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    socket.once('data', (chunk: Buffer) => {
      resolve(chunk.toString().startsWith('SSH-2.0-'));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

/** Each connection is a process of the server's; the commands are children of those, in sessions of their own. */
function killChildren({ pid }: ChildProcess) {
  if (pid === undefined) return;
  const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  for (const line of stdout.split('\n').filter((text) => /^\d+$/.test(text))) {
    try {
      process.kill(Number(line), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
