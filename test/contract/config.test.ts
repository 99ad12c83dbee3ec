// Every way to break config.json and the environment: one sentence that names file, key and reason.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readEnv } from '../../config/env.ts';
import { ConfigError, loadConfig } from '../../config/load.ts';
import { packageRoot } from '../../config/paths.ts';

type Tree = { readonly [key: string]: Tree | string | number | boolean | null | readonly string[] };

const shipped = z
  .record(z.string(), z.json())
  .parse(JSON.parse(readFileSync(join(packageRoot, 'config.json'), 'utf8')));
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-start-up-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(text: string): string {
  const path = join(dir, 'config.json');
  writeFileSync(path, text);
  return path;
}

/** The shipped config with one place changed; undefined takes it away. */
function changed(place: string, value: unknown): string {
  const [group = '', key] = place.split('.');
  const former = shipped[group];
  const inner = typeof former === 'object' && former !== null && !Array.isArray(former) ? former : {};
  return JSON.stringify({ ...shipped, [group]: key === undefined ? value : { ...inner, [key]: value } });
}

/** The file is refused, and the message has all of these words. */
function refuses(path: string, ...says: readonly string[]): void {
  const message = messageOf(() => loadConfig(path));
  for (const words of says) expect(message).toContain(words);
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('nothing was refused');
}

test.each(['', '{', '{"high_risk_operations": [],}', 'hello', '\ufeff{'])('no JSON: %j', (text) => {
  const path = write(text);
  refuses(path, 'Invalid JSON', path);
});

test.each(['null', '[]', '"x"', '5'])('JSON that is no object: %s', (text) => {
  const path = write(text);
  refuses(path, 'Invalid value', path, 'expected object');
});

test.each([
  'high_risk_operations',
  'confirmation',
  'confirmation.timeout_seconds',
  'execution',
  'execution.max_retries',
  'execution.retry_delay_seconds',
  'execution.task_timeout_seconds',
])('the key %s is missing', (place) => {
  const path = write(changed(place, undefined));
  refuses(path, 'Missing required key', path, place);
});

test.each([
  ['high_risk_operations', 'delete_instance', 'expected array'],
  ['high_risk_operations', [5], 'expected string'],
  ['confirmation', [], 'expected object'],
  ['confirmation.timeout_seconds', '30', 'expected number'],
  ['confirmation.timeout_seconds', null, 'expected number'],
  ['confirmation.timeout_seconds', 0, '>0'],
  ['confirmation.timeout_seconds', -1, '>0'],
  ['confirmation.timeout_seconds', 0.0001, '0.001'],
  ['confirmation.timeout_seconds', 1e12, '604800'],
  ['confirmation.confirm_token', 5, 'expected string'],
  ['execution.max_retries', -1, '>=0'],
  ['execution.max_retries', 1.5, 'expected int'],
  ['execution.max_retries', 1e9, '<=100'],
  ['execution.retry_delay_seconds', true, 'expected number'],
  ['execution.retry_delay_seconds', 1e9, '<=3600'],
  ['execution.task_timeout_seconds', {}, 'expected number'],
  ['execution.undo', 'sometimes', 'failure_and_cancel'],
  ['execution.operation_timeout_seconds', { delete_instance: -1 }, 'delete_instance'],
  ['logging.level', 'LOUD', 'INFO'],
  ['logging.audit_log_path', '', 'logging.audit_log_path'],
])('%s of %j', (place, value, reason) => {
  const path = write(changed(place, value));
  refuses(path, 'Invalid value', path, place, reason);
});

test('a number that JSON can write but nobody can count', () => {
  const path = write(JSON.stringify(shipped).replace('"timeout_seconds":30', '"timeout_seconds":1e999'));
  refuses(path, 'Invalid value', path, 'confirmation.timeout_seconds');
});

test.each(['surprise', 'execution.max_retrys', 'confirmation.timeout', 'logging.file', 'constructor'])(
  'the key %s is unknown',
  (place) => {
    const path = write(changed(place, 1));
    refuses(path, 'Unknown key', path, place);
  },
);

test.each(['confirmation.prompt_template', 'confirmation.confirm_token'])(
  '%s of an older console may be left out',
  (place) => {
    expect(loadConfig(write(changed(place, undefined))).confirmation.timeout_seconds).toBe(30);
  },
);

test('several flaws are said together', () => {
  const broken: Tree = { confirmation: { timeout_seconds: 'x', prompt_template: '', confirm_token: '' }, more: 1 };
  const path = write(JSON.stringify(broken));
  refuses(path, 'high_risk_operations', 'confirmation.timeout_seconds', 'execution', 'more');
});

test.each([
  ['PORT', 'http'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '80.5'],
  ['FERMATA_ALLOW_OPEN', 'yes'],
  ['FERMATA_TASK_QUEUE', 'two words'],
])('%s=%s', (name, value) => {
  expect(messageOf(() => readEnv({ [name]: value }))).toContain(`Invalid environment variable ${name}`);
});

test('what is shipped loads, frozen to the last group', () => {
  const config = loadConfig(write(JSON.stringify(shipped)));
  expect(config).toMatchObject(shipped);
  expect(Object.values(config).every((value) => Object.isFrozen(value))).toBe(true);
});

test.each([0.5, 1.5, 0.001])('a fraction of a second counts: %d', (seconds) => {
  const config = loadConfig(write(changed('confirmation.timeout_seconds', seconds)));
  expect(config.confirmation.timeout_seconds).toBe(seconds);
});
