// `npm start` as a process, with stubs for API and worker: what it starts, what it says, what it survives and leaves.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from '../../local/ports.ts';
import { makeClone, type Clone, type Started } from './clone.ts';
import { pidOf, processesOf, until } from './processes.ts';

const RUNS = 'Ctrl-C stops all of it';
const addressesShape = z.object({
  api: z.string(),
  temporal: z.object({ address: z.string(), namespace: z.string(), ui: z.string() }),
  database: z.string(),
  sandbox: z.object({
    ec2: z.string(),
    effects: z.string(),
    ssh: z.object({ username: z.literal('ec2-user'), key_path: z.string(), port: z.number() }),
  }),
});

let clone: Clone;
let dataDir: string;
let port: number;

beforeAll(() => {
  clone = makeClone();
});

afterAll(() => clone.remove());

beforeEach(async () => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'fermata-start-')), 'data');
  port = await freePort();
});

afterEach(() => {
  for (const pid of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
  rmSync(join(dataDir, '..'), { recursive: true, force: true });
});

async function started(env: NodeJS.ProcessEnv = {}): Promise<Started> {
  const launcher = clone.start(dataDir, { PORT: String(port), ...env });
  await launcher.says(RUNS);
  return launcher;
}

async function stopped(launcher: Started): Promise<number> {
  const began = Date.now();
  launcher.child.kill('SIGTERM');
  expect(await launcher.ended).toBe(0);
  expect(processesOf(dataDir)).toEqual([]);
  return Date.now() - began;
}

const addresses = () => addressesShape.parse(JSON.parse(readFileSync(join(dataDir, 'addresses.json'), 'utf8')));

test('start, second start, status, stop, status', async () => {
  const launcher = await started();
  const { api, temporal, sandbox } = addresses();
  expect(api).toBe(`http://127.0.0.1:${port}`);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  expect(statSync(join(dataDir, 'addresses.json')).mode & 0o777).toBe(0o600);

  const second = clone.start(dataDir, { PORT: String(port) });
  expect(await second.ended).toBe(0);
  const status = clone.start(dataDir, {}, 'status');
  expect(await status.ended).toBe(0);
  expect(status.output()).toBe(second.output());
  expect(status.output()).toMatch(/Fermata is running in .* since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
  for (const address of [api, temporal.ui, temporal.address, sandbox.ec2]) expect(status.output()).toContain(address);

  expect(await stopped(launcher)).toBeLessThan(10_000);
  expect(existsSync(join(dataDir, 'addresses.json'))).toBe(false);
  expect(await clone.start(dataDir, {}, 'status').ended).toBe(3);
});

test("the children get addresses of the sandbox and of our servers, and none of the user's", async () => {
  const theirs = {
    AWS_PROFILE: 'prod',
    AWS_SESSION_TOKEN: 'secret',
    TEMPORAL_API_KEY: 'secret',
    HTTPS_PROXY: 'http://proxy',
  };
  const launcher = await started({ ...theirs, CORS_ORIGINS: 'http://a' });
  const { api, temporal, database, sandbox } = addresses();
  const env: unknown = await (await fetch(api)).json();
  expect(env).toMatchObject({
    AWS_ENDPOINT_URL_EC2: sandbox.ec2,
    AWS_ACCESS_KEY_ID: 'sandbox',
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    DATABASE_URL: database,
    FERMATA_DATA_DIR: dataDir,
    CORS_ORIGINS: 'http://a',
    NO_PROXY: expect.stringContaining('127.0.0.1'),
  });
  for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'TEMPORAL_API_KEY']) expect(env).not.toHaveProperty(name);
  await stopped(launcher);
});

test("servers and cloud of the user's own are used, and none is started", async () => {
  const TEMPORAL_ADDRESS = process.env['FERMATA_TEST_TEMPORAL_ADDRESS'] ?? '';
  const DATABASE_URL = process.env['FERMATA_TEST_DATABASE_URL'] ?? '';
  const given = {
    TEMPORAL_ADDRESS,
    TEMPORAL_API_KEY: 'theirs',
    DATABASE_URL,
    FERMATA_CLOUD: 'aws',
    AWS_PROFILE: 'prod',
  };
  const launcher = await started(given);
  const api = `http://127.0.0.1:${port}`;
  const written: unknown = JSON.parse(readFileSync(join(dataDir, 'addresses.json'), 'utf8'));
  const temporal = { address: TEMPORAL_ADDRESS, namespace: 'default' };
  expect(written).toEqual({ api, temporal, database: DATABASE_URL });
  const env: unknown = await (await fetch(api)).json();
  const { FERMATA_CLOUD: _, ...kept } = given;
  expect(env).toMatchObject(kept);
  for (const name of ['AWS_ENDPOINT_URL_EC2', 'FERMATA_CLOUD']) expect(env).not.toHaveProperty(name);
  expect(processesOf(dataDir)).toHaveLength(3);
  await stopped(launcher);
});

test('after a kill -9 of the launcher alone its own children end, and the next start reclaims the servers', async () => {
  const first = await started();
  const before = addresses();
  const own = (['sandbox', 'worker', 'api'] as const).map((name) => pidOf(dataDir, name));
  first.child.kill('SIGKILL');
  await first.ended;
  await until('own children end', () => processesOf(dataDir).every((pid) => !own.includes(pid)));
  expect(await clone.start(dataDir, {}, 'status').ended).toBe(3);

  const second = await started();
  expect(addresses()).toEqual(before);
  expect(second.output()).not.toContain('taken');
  await stopped(second);
});

test('after a kill -9 of everything the next start works', async () => {
  const first = await started();
  const before = addresses();
  for (const pid of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
  await first.ended;
  const second = await started();
  expect(addresses()).toEqual(before);
  await stopped(second);
});

test('children that do not end when asked are ended, in time', async () => {
  const launcher = await started({ STUB_HANGS: '1' });
  expect(await stopped(launcher)).toBeLessThan(10_000);
});

test('a part that dies is started again, and that is said', async () => {
  const launcher = await started();
  for (const name of ['worker', 'temporal', 'postgres'] as const) {
    process.kill(pidOf(dataDir, name), 'SIGKILL');
    await launcher.says(`! ${name} was ended by SIGKILL; it is started again in 0.2 s`);
    await launcher.says(`! ${name} is back`);
  }
  await stopped(launcher);
});

test('a part that cannot start is named with the end of its log, and nothing is left', async () => {
  const failing = join(dataDir, '..', 'fail');
  writeFileSync(failing, '');
  const launcher = clone.start(dataDir, { PORT: String(port), STUB_FAILS: failing });
  expect(await launcher.ended).toBe(1);
  expect(launcher.output()).toContain('worker does not start: it ended with code 7');
  expect(launcher.output()).toContain('the stub was told to fail');
  expect(processesOf(dataDir)).toEqual([]);
  expect(await clone.start(dataDir, {}, 'status').ended).toBe(3);
});

test('a start while the one before is stopping waits for it, and starts', async () => {
  const first = await started({ STUB_HANGS: '1' });
  first.child.kill('SIGTERM');
  await first.says('Stopping');
  const second = await started();
  expect(await first.ended).toBe(0);
  await stopped(second);
});

test('Ctrl-C while the parts are starting stops what was started', async () => {
  const launcher = clone.start(dataDir, { PORT: String(port) });
  await launcher.says('✓ sandbox');
  launcher.child.kill('SIGINT');
  await launcher.ended;
  expect(processesOf(dataDir)).toEqual([]);
});

test.each([
  [{ PORT: 'eighty' }, 'PORT is "eighty"'],
  [{ FERMATA_CLOUD: 'gcp' }, 'FERMATA_CLOUD is "gcp"'],
  [{ HOST: '0.0.0.0' }, 'FERMATA_ALLOW_OPEN=1'],
  [{ CONFIG_PATH: 'none.json' }, 'none.json'],
])('%j is refused by a sentence, before anything is started', async (env, sentence) => {
  const launcher = clone.start(dataDir, { PORT: String(port), ...env });
  expect(await launcher.ended).toBe(1);
  expect(launcher.output()).toContain(sentence);
  expect(launcher.output()).not.toMatch(/ at .*:\d+:\d+/);
  expect(processesOf(dataDir)).toEqual([]);
});

test('a port that another program holds is named with its holder and a way out', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  const launcher = clone.start(dataDir, { PORT: String(port) });
  expect(await launcher.ended).toBe(1);
  expect(launcher.output()).toContain(`Port ${port} is taken by`);
  expect(launcher.output()).toContain(`(process ${process.pid})`);
  expect(launcher.output()).toContain(`PORT=${port + 1} npm start`);
  await new Promise((resolve) => other.close(resolve));
});

test('two data folders are two systems, and an inner port that was taken meanwhile is chosen anew with a word', async () => {
  const first = await started();
  const otherDir = join(dataDir, '..', 'other');
  const otherPort = await freePort();
  const second = clone.start(otherDir, { PORT: String(otherPort) });
  await second.says(RUNS);
  const { database } = addresses();
  await stopped(first);

  const other = createServer();
  await new Promise<void>((resolve) => other.listen(Number(new URL(database).port), '127.0.0.1', resolve));
  const again = await started();
  expect(again.output()).toMatch(/! port \d+ of postgres was taken by another program/);
  expect(new URL(addresses().database).port).not.toBe(new URL(database).port);
  await new Promise((resolve) => other.close(resolve));
  await stopped(again);
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
});
