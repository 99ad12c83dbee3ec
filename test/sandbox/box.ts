// Runs a real sandbox process in a folder of its own and talks to it: EC2 by the AWS SDK, the control API by HTTP.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import type { Instance } from '@aws-sdk/client-ec2';

export const program = fileURLToPath(new URL('../../dist/local/sandbox/main.js', import.meta.url));
export const principal = 'AKIDSANDBOXTEST';

export interface EffectLine {
  readonly n: number;
  readonly at: string;
  readonly action: string;
  readonly instance_ids: string[];
  readonly client_token?: string;
  readonly request_id: string;
  readonly principal?: string;
  readonly outcome: string;
  readonly changed: string[];
  readonly [more: string]: unknown;
}

export interface SshAccess {
  readonly username: string;
  readonly key_path: string;
  readonly port: number;
}

export interface Box {
  readonly url: string;
  /** How its instances are reached by SSH, unless it was started without. */
  readonly ssh: SshAccess | undefined;
  readonly folder: string;
  readonly child: ChildProcess;
  readonly ec2: EC2Client;
  /** Ends the process and, unless another is to go on in it, removes the folder. */
  end(how?: NodeJS.Signals, keep?: 'keep'): Promise<number | null>;
}

export interface BoxOptions {
  readonly folder?: string;
  readonly stateMs?: number;
  readonly checkMs?: number;
  /** More options of the command line. */
  readonly args?: readonly string[];
}

export async function startBox(options: BoxOptions = {}): Promise<Box> {
  const folder = options.folder ?? freshFolder();
  const { stateMs = 60, checkMs = 60 } = options;
  const times = ['--state-ms', String(stateMs), '--check-ms', String(checkMs)];
  const child = fork(program, ['--port', '0', '--data-dir', folder, ...times, ...(options.args ?? [])], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const { url, ssh } = await ready(child);
  const ec2 = clientOf(url);
  return { url, ssh, folder, child, ec2, end: (how, keep) => end({ child, ec2, folder }, how, keep) };
}

export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), 'fermata-sandbox-'));
}

export function clientOf(endpoint: string): EC2Client {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const credentials = { accessKeyId: principal, secretAccessKey: 'none' };
  return new EC2Client({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
}

async function ready(child: ChildProcess): Promise<Pick<Box, 'url' | 'ssh'>> {
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const [message]: unknown[] = await Promise.race([
    once(child, 'message'),
    once(child, 'close').then(([code]) => Promise.reject(new Error(`it ended with ${String(code)}: ${complaint}`))),
  ]);
  if (typeof message === 'object' && message !== null && 'ec2' in message && typeof message.ec2 === 'string') {
    const { ssh } = JSON.parse(JSON.stringify(message));
    return { url: message.ec2, ssh };
  }
  throw new Error(`not a word of readiness: ${JSON.stringify(message)}`);
}

async function end(
  { child, ec2, folder }: Pick<Box, 'child' | 'ec2' | 'folder'>,
  how: NodeJS.Signals = 'SIGTERM',
  keep?: 'keep',
): Promise<number | null> {
  ec2.destroy();
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(how);
    await exit;
  }
  if (!keep) rmSync(folder, { recursive: true, force: true });
  return child.exitCode;
}

export function effectsOf({ folder }: Pick<Box, 'folder'>): EffectLine[] {
  const lines = readFileSync(join(folder, 'effects.jsonl'), 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

export interface ControlAnswer {
  readonly status: number;
  readonly json: unknown;
}

export async function control(box: Pick<Box, 'url'>, route: string, body?: unknown): Promise<ControlAnswer> {
  const [method = 'GET', path = ''] = route.split(' ');
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(`${box.url}/_sandbox/${path}`, { method, ...(body === undefined ? {} : { body: text }) });
  return { status: answer.status, json: await answer.json() };
}

export async function addFault(box: Box, fault: Record<string, unknown>): Promise<void> {
  const { status, json } = await control(box, 'POST faults', fault);
  if (status !== 200) throw new Error(`fault refused: ${JSON.stringify(json)}`);
}

export async function described(box: Pick<Box, 'ec2'>, id: string): Promise<Instance> {
  const { Reservations = [] } = await box.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return only(Reservations.flatMap(({ Instances = [] }) => Instances));
}

export async function idOf(box: Pick<Box, 'ec2'>, name: string): Promise<string> {
  const command = new DescribeInstancesCommand({ Filters: [{ Name: 'tag:Name', Values: [name] }] });
  const { Reservations = [] } = await box.ec2.send(command);
  return present(only(Reservations.flatMap(({ Instances = [] }) => Instances)).InstanceId);
}

export async function stateOf(box: Pick<Box, 'ec2'>, id: string): Promise<string | undefined> {
  return (await described(box, id)).State?.Name;
}

/** Asks until it is so; a test never sleeps for a guessed time. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean, boundMs = 10_000): Promise<void> {
  const end = Date.now() + boundMs;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not within ${boundMs} ms: ${what}`);
    await pause(5);
  }
}

export const reaches = (box: Pick<Box, 'ec2'>, id: string, state: string) =>
  until(`${id} is ${state}`, async () => (await stateOf(box, id)) === state);

export function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) throw new Error(`expected one, got ${list.length}`);
  return first;
}

export function present<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('expected a value');
  return value;
}
