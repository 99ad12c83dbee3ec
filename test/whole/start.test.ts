// The whole house as its user meets it: npm start, a delete that holds, an approval, a stop, and a start that remembers.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from '../../local/ports.ts';
import { follow, type Started } from '../local/clone.ts';
import { processesOf, until } from '../local/processes.ts';

const submitted = z.object({ task_id: z.string(), is_high_risk: z.boolean() });
const task = z.object({ task_id: z.string(), status: z.string(), error: z.string().nullable() });
const addresses = z.object({ sandbox: z.object({ effects: z.string() }) });
const effect = z.object({ action: z.string(), outcome: z.string() });

let dataDir: string;
let port: number;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'fermata-whole-'));
  port = await freePort();
});

afterAll(() => {
  for (const pid of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
});

function npm(...args: readonly string[]): Started {
  const env = { ...process.env, FERMATA_DATA_DIR: dataDir, PORT: String(port) };
  // A group of its own, as a shell gives to what is typed into it.
  return follow(spawn('npm', args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }));
}

async function start(): Promise<Started> {
  const started = npm('start');
  await started.says('Ctrl-C stops all of it');
  return started;
}

async function pressCtrlC(started: Started): Promise<void> {
  const began = Date.now();
  process.kill(-(started.child.pid ?? 0), 'SIGINT');
  await started.ended;
  await until('nothing runs', () => processesOf(dataDir).length === 0);
  expect(Date.now() - began).toBeLessThan(10_000);
}

async function call(path: string, body?: unknown): Promise<{ readonly status: number; readonly answer: unknown }> {
  const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, body === undefined ? {} : sent);
  return { status: response.status, answer: await response.json() };
}

async function statusOf(id: string): Promise<string> {
  return task.parse((await call(`/api/v1/tasks/${id}`)).answer).status;
}

function terminations(): number {
  const file = addresses.parse(JSON.parse(readFileSync(join(dataDir, 'addresses.json'), 'utf8'))).sandbox.effects;
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const effects = lines.filter((line) => line !== '').map((line) => effect.parse(JSON.parse(line)));
  return effects.filter(({ action }) => action === 'TerminateInstances').length;
}

test('a delete holds, is approved, is done once, and is still known after a stop and a start', async () => {
  const first = await start();
  const params = { instance_id: 'vm-dev-01' };
  const { status, answer } = await call('/api/v1/tasks', { operation: 'delete_instance', resource: 'dev', params });
  expect(status).toBe(202);
  const { task_id, is_high_risk } = submitted.parse(answer);
  expect(is_high_risk).toBe(true);
  await until('it holds', async () => (await statusOf(task_id)) === 'AWAITING_CONFIRMATION');
  expect(terminations()).toBe(0);

  expect((await call(`/api/v1/tasks/${task_id}/confirm`, { confirmed: true })).status).toBe(200);
  await until('it is gone', async () => (await statusOf(task_id)) === 'COMPLETED', 20_000);
  expect(terminations()).toBe(1);
  expect(await npm('run', 'status').ended).toBe(0);
  await pressCtrlC(first);
  expect(await npm('run', 'status').ended).toBe(3);

  const second = await start();
  expect(await statusOf(task_id)).toBe('COMPLETED');
  expect(terminations()).toBe(1);
  await pressCtrlC(second);
}, 120_000);

test('a task that holds while everything is killed holds on at the next start, and can be refused', async () => {
  await start();
  const params = { instance_id: 'vm-staging-01' };
  const sent = await call('/api/v1/tasks', { operation: 'delete_instance', resource: 'staging', params });
  const { task_id } = submitted.parse(sent.answer);
  await until('it holds', async () => (await statusOf(task_id)) === 'AWAITING_CONFIRMATION');
  const before = terminations();
  for (const pid of processesOf(dataDir)) process.kill(pid, 'SIGKILL');

  const again = await start();
  expect(await statusOf(task_id)).toBe('AWAITING_CONFIRMATION');
  // Until Temporal has noticed that the worker of before is gone, the answer may be a 503 that asks to repeat.
  const refuse = () => call(`/api/v1/tasks/${task_id}/confirm`, { confirmed: false });
  await until('it is refused', async () => (await refuse()).status === 200, 25_000);
  await until('it is over', async () => (await statusOf(task_id)) === 'FAILED');
  expect(terminations()).toBe(before);
  await pressCtrlC(again);
}, 120_000);
