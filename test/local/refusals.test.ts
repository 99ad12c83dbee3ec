// What cannot work is refused by one sentence that says what to do, before anything is installed or started.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { follow } from './clone.ts';

let dir: string;
let file: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-refusals-'));
  file = join(dir, 'file');
  writeFileSync(file, '');
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  ['18.20.4', false],
  ['20.9.0', false],
  ['20.18.3', false],
  ['20.19.0', true],
  ['24.1.0', true],
])('Node %s: %s', (version, good) => {
  const script = `
    import { nodeIsNewEnough } from './local/node-version.mjs';
    console.log(nodeIsNewEnough('${version}'));
    process.exitCode = 0;`;
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  expect(out.trim()).toBe(String(good));
});

test.each([
  ['FERMATA_DATA_DIR', (path: string) => ({ FERMATA_DATA_DIR: path })],
  [
    'FERMATA_CACHE_DIR',
    (path: string) => ({ FERMATA_DATA_DIR: join(dir, 'data'), FERMATA_CACHE_DIR: path, TEMPORAL_CLI_PATH: '' }),
  ],
])('a folder that cannot be used is named with %s, which moves it', async (variable, env) => {
  const path = join(file, 'below');
  const started = follow(
    spawn(process.execPath, ['local/start.mjs'], {
      env: { ...process.env, PORT: '28999', ...env(path) },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  expect(await started.ended).toBe(1);
  expect(started.output()).toContain(`The folder ${path} cannot be used (ENOTDIR): ${variable} names another.`);
  expect(started.output()).not.toMatch(/ at .*:\d+:\d+/);
});
