// Starting with a broken config.json or environment: one sentence that names file, key and reason, and status 2.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../../config/paths.ts';
import { runToEnd, startChild } from '../kit/processes.ts';
import { startSystem } from '../kit/system.ts';

const shipped = z
  .record(z.string(), z.json())
  .parse(JSON.parse(readFileSync(join(packageRoot, 'config.json'), 'utf8')));
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-start-up-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Nothing listens there: a process that gets past its config would wait, so each case must end by itself. */
const NOWHERE = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  HOST: '127.0.0.1',
};

async function starts(program: 'api' | 'worker', env: Record<string, string>) {
  const { code, output } = await runToEnd('timeout', ['20', process.execPath, `dist/${program}/main.js`], {
    ...NOWHERE,
    FERMATA_DATA_DIR: dir,
    ...env,
  });
  return { code, output };
}

function write(text: string): string {
  const path = join(dir, 'config.json');
  writeFileSync(path, text);
  return path;
}

/** Both programs must say it, in one plain sentence a line, and end with status 2. */
async function refused(env: Record<string, string>, ...says: readonly string[]): Promise<void> {
  for (const { code, output } of await Promise.all([starts('api', env), starts('worker', env)])) {
    for (const words of says) expect(output).toContain(words);
    expect(output).not.toMatch(/^\s+at /m);
    expect(code).toBe(2);
  }
}

test('no file', async () => {
  const path = join(dir, 'nowhere.json');
  await refused({ CONFIG_PATH: path }, 'File not found', path);
});

test('a folder instead of a file', async () => {
  await refused({ CONFIG_PATH: dir }, dir, 'EISDIR');
});

test('no JSON', async () => {
  const path = write('{');
  await refused({ CONFIG_PATH: path }, 'Invalid JSON', path);
});

test('a missing key', async () => {
  const { execution, ...rest } = shipped;
  expect(execution).toBeDefined();
  const path = write(JSON.stringify(rest));
  await refused({ CONFIG_PATH: path }, 'Missing required key', path, 'execution');
});

test('a wrong type and an unknown key', async () => {
  const path = write(JSON.stringify({ ...shipped, high_risk_operations: 'all', surprise: 1 }));
  await refused({ CONFIG_PATH: path }, path, 'Invalid value', 'high_risk_operations', 'Unknown key', 'surprise');
});

test('an operation that destroys must be guarded, or left open in as many words', async () => {
  const path = write(JSON.stringify({ ...shipped, high_risk_operations: ['scale_down_cluster'] }));
  await refused({ CONFIG_PATH: path }, path, 'delete_instance', 'high_risk_operations', 'allow_unguarded');
});

test.each(['0.0.0.0', '::', '127.0.0.1.example.org'])('HOST=%s without leave to be open', async (host) => {
  const { code, output } = await starts('api', { HOST: host, CONFIG_PATH: write(JSON.stringify(shipped)) });
  expect(output).toContain(`HOST=${host}`);
  expect(output).toContain('FERMATA_ALLOW_OPEN=1');
  expect(code).toBe(2);
});

test('a port that is none', async () => {
  const env = { PORT: 'http', CONFIG_PATH: write(JSON.stringify(shipped)) };
  await refused(env, 'Invalid environment variable', 'PORT');
});

test('no database', async () => {
  await refused({ DATABASE_URL: '', CONFIG_PATH: write(JSON.stringify(shipped)) }, 'DATABASE_URL');
});

test('a taken port is named; fractional timeouts count; FERMATA_ALLOW_OPEN opens', async () => {
  const system = await startSystem({
    config: { confirmation: { timeout_seconds: 1.5 }, execution: { task_timeout_seconds: 20.5 } },
  });
  const taken = createServer().listen(0, '127.0.0.1');
  try {
    const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
    const ended = await system.api.end(id);
    expect(ended).toMatchObject({ status: 'FAILED', reason: 'expired' });
    expect(ended.error).toBe(`Task '${id}' was not approved within 1.5s; silence is a no.`);
    const env = {
      CONFIG_PATH: join(system.dir, 'config.json'),
      DATABASE_URL: system.databaseUrl,
      TEMPORAL_ADDRESS: system.temporalAddress,
    };
    const address = taken.address();
    const port = String(typeof address === 'object' ? address?.port : '');
    const { code, output } = await starts('api', { ...env, PORT: port });
    expect(output).toContain(`Port ${port} of 127.0.0.1 is taken`);
    expect(code).toBe(2);
    const open = { ...env, PORT: '0', HOST: '0.0.0.0', FERMATA_ALLOW_OPEN: '1' };
    const log = join(dir, 'open.log');
    const child = await startChild({ name: 'open', script: 'dist/api/main.js', env: open, log });
    expect(await child.stop()).toBe(0);
  } finally {
    taken.close();
    await system.stop();
  }
});
