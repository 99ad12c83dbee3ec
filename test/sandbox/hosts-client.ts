// An SSH client for tests of the sandbox's hosts: logs in, runs commands, and knows whether a process of a host lives.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import ssh2 from 'ssh2';
import type { Client, ClientChannel, ConnectConfig } from 'ssh2';

import { control, present } from './box.ts';
import type { Box } from './box.ts';

export interface Ran {
  readonly code: number | null;
  readonly signal: string | undefined;
  readonly out: string;
  readonly err: string;
}

export interface Link {
  readonly client: Client;
  /** Runs a command to its end. */
  run(command: string, stdin?: string | Buffer): Promise<Ran>;
  open(command: string): Promise<ClientChannel>;
  close(): Promise<void>;
}

const links: Client[] = [];

/** For `afterEach`: a link that a failed test left open. */
export function closeLinks(): void {
  for (const client of links.splice(0)) client.destroy();
}

export async function addressOf(box: Box, name: string): Promise<{ host: string; port: number }> {
  const { json } = await control(box, `GET instances/${name}`);
  const { ssh } = JSON.parse(JSON.stringify(json));
  return { host: present(ssh?.host), port: present(ssh?.port) };
}

export async function logIn(box: Box, name: string, over: ConnectConfig = {}): Promise<Link> {
  const { username, key_path } = present(box.ssh);
  const config = { username, privateKey: readFileSync(key_path), readyTimeout: 5_000, ...over };
  return linkOf(await connected({ ...(over.sock ? {} : await addressOf(box, name)), ...config }));
}

export function connected(config: ConnectConfig): Promise<Client> {
  const client = new ssh2.Client();
  links.push(client);
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client));
    client.on('error', reject);
    client.once('close', () => reject(new Error('the link was closed')));
    client.once('connect', () => client.setNoDelay(true));
    client.connect(config);
  });
}

interface Exit {
  code: number | null;
  signal: string | undefined;
}

/** Noted from the first moment: the end of a short command comes in one piece with its beginning. */
const exits = new WeakMap<ClientChannel, Exit>();

function linkOf(client: Client): Link {
  const open = (command: string) =>
    new Promise<ClientChannel>((resolve, reject) => {
      client.exec(command, (problem, channel) => {
        if (problem) return reject(problem);
        channel.on('exit', (code: number | null, signal?: string) => exits.set(channel, { code, signal }));
        resolve(channel);
      });
    });
  return {
    client,
    open,
    run: async (command, stdin) => {
      const channel = await open(command);
      channel.end(stdin ?? '');
      return ended(channel);
    },
    close: async () => {
      const gone = closed(client);
      client.end();
      await gone;
    },
  };
}

/** A link that is cut may end with a reset, which is as good an end as another. */
export const closed = (client: Client) => new Promise<void>((resolve) => client.once('close', () => resolve()));

/** How it ended, as far as that is known by now. */
export const exitOf = (channel: ClientChannel): Exit => exits.get(channel) ?? { code: null, signal: undefined };

/** Everything that a command still writes, and how it ends. */
export async function ended(channel: ClientChannel): Promise<Ran> {
  const [out, err] = await Promise.all([textOf(channel), textOf(channel.stderr)]);
  return { ...exitOf(channel), out, err };
}

export async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString('latin1');
}

/** Whether somebody takes a connection there. */
export async function listens(place: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(place);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export function lives(pid: number): boolean {
  try {
    // A process that nobody has waited for yet has ended all the same.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
