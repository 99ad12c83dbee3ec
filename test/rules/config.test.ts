// config.json as people may get it wrong: each mistake is one sentence with the file, the key and the reason.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../config/load.ts';
import { assetPath } from '../../config/paths.ts';
import { policyOf, timeScaleFlaw } from '../../config/policy.ts';
import { configSchema } from '../../config/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'fermata-config-'));
const file = join(folder, 'config.json');
afterAll(() => rmSync(folder, { recursive: true }));

const shipped = readFileSync(assetPath('config.json'), 'utf8');

/** The config that ships, with one value replaced; undefined takes the key away. */
function changed(path: string, value: unknown): string {
  const whole: unknown = JSON.parse(shipped);
  const keys = path.split('.');
  let here = whole;
  for (const key of keys.slice(0, -1)) here = typeof here === 'object' && here !== null ? Reflect.get(here, key) : null;
  if (typeof here !== 'object' || here === null) throw new Error(`no ${path}`);
  Reflect.set(here, keys.at(-1) ?? '', value);
  return JSON.stringify(whole);
}

function complaintOf(text: string): string {
  writeFileSync(file, text);
  try {
    loadConfig(file);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    if (error instanceof Error) return error.message.replaceAll(file, 'FILE');
  }
  return 'fine';
}

test('the file that ships is fine, and what it leaves out has a default', () => {
  const config = loadConfig(assetPath('config.json'));
  expect(config).toMatchObject({
    allow_unguarded: [],
    confirmation: { timeout_seconds: 30 },
    execution: { max_retries: 3, lease_wait_seconds: 600, undo: 'failure', operation_timeout_seconds: {} },
    temporal: { search_attributes: true },
  });
  expect(config.high_risk_operations).toContain('delete_instance');
});

test('a file that is not there, or cannot be read', () => {
  expect(() => loadConfig(join(folder, 'none.json'))).toThrow(
    `File not found: ${join(folder, 'none.json')}. Set CONFIG_PATH to your config.json.`,
  );
  expect(() => loadConfig(folder)).toThrow(/^Cannot read .*EISDIR/);
});

test.each([
  ['', /^Invalid JSON in FILE: /],
  ['{"a":', /^Invalid JSON in FILE: /],
  ['null', /^Invalid value in FILE: the file: /],
  ['[]', /^Invalid value in FILE: the file: /],
])('%j', (text, complaint) => {
  expect(complaintOf(text)).toMatch(complaint);
});

test('an empty object misses every required key, each on a line', () => {
  const lines = complaintOf('{}').split('\n');
  expect(lines).toEqual(
    ['high_risk_operations', 'confirmation', 'execution'].map((key) =>
      expect.stringMatching(`^Missing required key in FILE: ${key} \\(`),
    ),
  );
});

test.each(['confirmation.timeout_seconds', 'execution.max_retries', 'execution.task_timeout_seconds'])(
  '%s is required',
  (path) => {
    expect(complaintOf(changed(path, undefined))).toBe(`Missing required key in FILE: ${path} (number)`);
  },
);

test.each([
  ['high_risk_operations', 'delete_instance'],
  ['high_risk_operations', [5]],
  ['high_risk_operations.0', ''],
  ['confirmation.timeout_seconds', '30'],
  ['confirmation.timeout_seconds', 0],
  ['confirmation.timeout_seconds', -1],
  ['confirmation.timeout_seconds', 1e9],
  ['execution.max_retries', 1.5],
  ['execution.max_retries', -1],
  ['execution.max_retries', 101],
  ['execution.retry_delay_seconds', 0],
  ['execution.undo', 'sometimes'],
  ['execution.operation_timeout_seconds', { list_instances: 'long' }],
  ['logging.level', 'LOUD'],
  ['logging.audit_log_path', ''],
  ['temporal', { search_attributes: 'no' }],
  ['prices', { as_of: 'yesterday', usd_per_hour: {} }],
  ['prices', { as_of: '2030-01-01', usd_per_hour: { 'g5.xlarge': -1 } }],
  ['prices', { as_of: '2030-01-01', usd_per_hour: { 'not a type': 1 } }],
  ['budgets', { member: { per: 'week', stop_usd: 1 } }],
  ['budgets', { member: { per: 'day' } }],
  ['budgets', { tenant: { per: 'day', warn_usd: 2, stop_usd: 1 } }],
])('%s of %j is refused, and the key is named', (path, value) => {
  const complaint = complaintOf(changed(path, value));
  expect(complaint).toMatch(/^Invalid value in FILE: /);
  expect(complaint).toContain(path);
});

test.each([
  ['comment', 'comment'],
  ['execution.max_retry', 'execution.max_retry'],
])('an unknown key is refused by its name: %s', (path, named) => {
  expect(complaintOf(changed(path, 1))).toBe(`Unknown key in FILE: ${named}. Remove it, or correct its spelling.`);
});

test('a level may be written small', () => {
  writeFileSync(file, changed('logging.level', 'debug'));
  expect(loadConfig(file).logging.level).toBe('DEBUG');
});

test('what comes out is frozen to the last leaf', () => {
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every((child) => frozen(child)));
  const config = loadConfig(assetPath('config.json'));
  expect(frozen(config)).toBe(true);
  expect(() => Reflect.get(config, 'high_risk_operations').push('x')).toThrow(TypeError);
});

test('the policy is config in milliseconds, never 0', () => {
  writeFileSync(file, changed('execution.operation_timeout_seconds', { list_instances: 0.001, stop_instance: 1.5 }));
  expect(policyOf(loadConfig(file))).toMatchObject({
    confirmMs: 30_000,
    deadlineMs: 300_000,
    deadlineMsOf: { list_instances: 1, stop_instance: 1_500 },
    maxRetries: 3,
    retryDelayMs: 2_000,
    leaseWaitMs: 600_000,
    undo: 'failure',
  });
  expect(policyOf(loadConfig(file))).toMatchObject({ prices: undefined, budgets: { member: null, tenant: null } });
  writeFileSync(file, changed('execution.retry_delay_seconds', 0.000_01));
  expect(policyOf(loadConfig(file)).retryDelayMs).toBe(1);
});

test('prices and budgets of config, in the words of the domain', () => {
  const asOf = '2030-01-01';
  writeFileSync(file, changed('prices', { as_of: asOf, usd_per_hour: { 'g5.xlarge': 0.9 } }));
  expect(policyOf(loadConfig(file)).prices).toEqual({ asOf, usdPerHour: { 'g5.xlarge': 0.9 }, usdPerGibMonth: {} });
  writeFileSync(file, changed('prices', { as_of: asOf, usd_per_gib_month: { gp3: 0.07 } }));
  expect(policyOf(loadConfig(file)).prices).toEqual({ asOf, usdPerHour: {}, usdPerGibMonth: { gp3: 0.07 } });
  writeFileSync(
    file,
    changed('budgets', { member: { per: 'day', stop_usd: 5 }, tenant: { per: 'month', warn_usd: 0 } }),
  );
  expect(policyOf(loadConfig(file)).budgets).toEqual({
    member: { per: 'day', warnUsd: null, stopUsd: 5 },
    tenant: { per: 'month', warnUsd: 0, stopUsd: null },
  });
});

test.each([
  [undefined, 'and this is AWS'],
  ['https://vpce-0123-abcd.ec2.us-east-1.vpce.amazonaws.com', 'vpce-0123-abcd'],
  ['http://10.0.0.7:4566', '10.0.0.7'],
  ['http://127.0.0.1.example.org', 'example.org'],
  ['127.0.0.1:4566', 'is not on this machine'],
  ['http://127.0.0.1:4566', undefined],
  ['http://127.3.2.1', undefined],
  ['http://localhost:4566/', undefined],
  ['http://[::1]:4566', undefined],
])('minutes are shortened only for a cloud on this machine, not for %s', (ec2Endpoint, complaint) => {
  writeFileSync(file, changed('idle', { time_scale: 0.5 }));
  const flaw = timeScaleFlaw(policyOf(loadConfig(file)), { ec2Endpoint });
  expect(flaw).toEqual(complaint === undefined ? undefined : expect.stringContaining(complaint));
  expect(timeScaleFlaw(policyOf(loadConfig(assetPath('config.json'))), { ec2Endpoint })).toBeUndefined();
});

test('the README shows every key, in an example that would be accepted', () => {
  const readme = readFileSync(assetPath('README.md'), 'utf8');
  const [, example = ''] = /Every key:\n\n```jsonc\n(.*?)\n```/s.exec(readme) ?? [];
  const json = example.replaceAll(/\/\/ .*$/gm, '').replaceAll(/,(\s*[}\]])/g, '$1');
  const parsed: unknown = JSON.parse(json);
  expect(Object.keys(parsed ?? {}).sort()).toEqual(Object.keys(configSchema.shape).sort());
  expect(complaintOf(json)).toBe('fine');
});
