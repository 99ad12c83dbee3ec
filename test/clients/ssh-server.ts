// An SSH server inside the test that does what it is told, good or bad; commands are run by /bin/sh, as elsewhere.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { AuthContext, Connection, ServerChannel } from 'ssh2';
import ssh2 from 'ssh2';

export interface FakeServer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly keyPath: string;
  /** One for each of `hostKeys`. */
  readonly fingerprints: readonly string[];
  readonly fingerprint: string;
  /** What was asked for, in the order of its coming. */
  readonly seen: { logins: number; readonly commands: string[]; readonly signals: string[] };
  /** The connections that are open. */
  readonly connections: ReadonlySet<Connection>;
  stop(): Promise<void>;
}

export interface Behaviour {
  readonly hostKeys?: readonly KeyKind[];
  /** Sessions at a time on one connection; further ones are refused. */
  readonly maxSessions?: number;
  /** Called when a session is asked for. */
  readonly onSession?: (connection: Connection) => 'accept' | 'refuse' | 'ignore';
  /** Called before the answer to a request to run something. */
  readonly onExec?: (command: string, connection: Connection) => 'accept' | 'ignore';
  /** Called with the channel. `ran`: it has been taken care of. */
  readonly onCommand?: (command: string, channel: ServerChannel, connection: Connection) => 'ran' | 'run it';
}

export type KeyKind = 'ed25519' | 'ecdsa' | 'rsa';

const HOST = '127.0.0.1';

/** Makes a key pair. One in five hundred that ssh2 makes is malformed, and made again. */
export function newKey(kind: KeyKind): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = makeKey(kind);
    const key = ssh2.utils.parseKey(pair.private);
    const half = ssh2.utils.parseKey(pair.public);
    if (key instanceof Error || half instanceof Error) continue;
    if (key.getPublicSSH().equals(half.getPublicSSH())) return pair;
  }
}

function makeKey(kind: KeyKind) {
  if (kind === 'ed25519') return ssh2.utils.generateKeyPairSync(kind);
  return kind === 'rsa'
    ? ssh2.utils.generateKeyPairSync(kind, { bits: 2048 })
    : ssh2.utils.generateKeyPairSync(kind, { bits: 256 });
}

/** A private key that is of no use without its passphrase. */
export function newLockedKey(): string {
  return ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'hunter2', cipher: 'aes256-ctr', rounds: 16 }).private;
}

/** Starts a server; the key that may log in is written into `dir`. */
export async function startFakeServer(dir: string, behaviour: Behaviour = {}): Promise<FakeServer> {
  const { hostKeys = ['ed25519'], maxSessions = 10 } = behaviour;
  const pairs = hostKeys.map(newKey);
  const clientKey = newKey('ed25519');
  const keyPath = join(dir, `id-${Math.random().toString(36).slice(2)}`);
  writeFileSync(keyPath, clientKey.private, { mode: 0o600 });
  const seen = { logins: 0, commands: new Array<string>(), signals: new Array<string>() };
  const connections = new Set<Connection>();
  const children = new Set<ChildProcess>();

  // ssh2 hands signals to nobody once a command runs; that one came is only in what it says of itself.
  const debug = (line: string) => {
    const [, name] = /CHANNEL_REQUEST \(r:\d+, signal: (\w+)\)/.exec(line) ?? [];
    if (name !== undefined) seen.signals.push(name);
  };
  const server = new ssh2.Server({ hostKeys: pairs.map((pair) => pair.private), debug }, (connection) => {
    connections.add(connection);
    let sessions = 0;
    connection.on('error', () => undefined);
    connection.on('close', () => connections.delete(connection));
    connection.on('authentication', (context) => {
      if (mayLogIn(context, clientKey.public)) context.accept();
      else context.reject(['publickey']);
    });
    connection.on('ready', () => (seen.logins += 1));
    connection.on('tcpip', (accept, _reject, { destIP, destPort }) => {
      const channel = accept();
      const far = connect(destPort, destIP);
      far.on('error', () => channel.close());
      channel.on('error', () => far.destroy());
      channel.on('close', () => far.destroy());
      channel.pipe(far).pipe(channel);
    });
    connection.on('session', (accept, reject) => {
      const verdict = behaviour.onSession?.(connection) ?? 'accept';
      if (verdict === 'ignore') return;
      if (verdict === 'refuse' || sessions >= maxSessions) return reject();
      sessions += 1;
      const session = accept();
      session.on('close', () => (sessions -= 1));
      session.on('exec', (accept, _reject, { command }) => {
        seen.commands.push(command);
        if ((behaviour.onExec?.(command, connection) ?? 'accept') === 'ignore') return;
        const channel = accept();
        channel.on('error', () => undefined);
        if (behaviour.onCommand?.(command, channel, connection) === 'ran') return;
        children.add(shell(command, channel));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  const fingerprints = pairs.map((pair) => fingerprintOf(pair.public));
  return {
    host: HOST,
    port: typeof address === 'object' && address ? address.port : 0,
    username: 'somebody',
    keyPath,
    fingerprints,
    fingerprint: fingerprints[0] ?? '',
    seen,
    connections,
    stop: async () => {
      children.forEach(killGroup);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.end();
      await closed;
    },
  };
}

function shell(command: string, channel: ServerChannel): ChildProcess {
  const child = spawn('/bin/sh', ['-c', command], { stdio: 'pipe', detached: true });
  child.stdin.on('error', () => undefined);
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on('close', (code, signal) => {
    if (signal) channel.exit(signal.slice(3), false, '');
    else channel.exit(code ?? 0);
    channel.end();
  });
  return child;
}

/** The shell and what it started; an end of a pipe that one of them holds would keep the test from ending. */
function killGroup({ pid }: ChildProcess) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // All of them ended by themselves.
  }
}

function mayLogIn(context: AuthContext, allowed: string): boolean {
  if (context.method !== 'publickey') return false;
  const key = ssh2.utils.parseKey(allowed);
  if (key instanceof Error || !key.getPublicSSH().equals(context.key.data)) return false;
  if (!context.signature || !context.blob) return true;
  return key.verify(context.blob, context.signature, context.hashAlgo) === true;
}

function fingerprintOf(publicKey: string): string {
  const [, blob = ''] = publicKey.split(' ');
  return `SHA256:${createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '')}`;
}
