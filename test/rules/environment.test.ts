// The environment: what each variable may say, what it is when it says nothing, and where the API may listen.
import { resolve } from 'node:path';
import { dataPath, hostFlaw, readEnv } from '../../config/env.ts';
import { ConfigError } from '../../config/load.ts';

test('says everything by default, and is frozen', () => {
  const env = readEnv({});
  expect(env).toEqual({
    port: 8000,
    host: '127.0.0.1',
    configPath: resolve('config.json'),
    corsOrigins: [],
    dataDir: resolve('.fermata'),
    allowOpen: false,
    taskQueue: 'fermata',
    databaseUrl: undefined,
    temporalAddress: undefined,
    temporalNamespace: 'default',
    region: 'us-east-1',
    ec2Endpoint: undefined,
    secrets: {},
    commandEnv: { PATH: '', HOME: '' },
  });
  expect(Object.isFrozen(env) && Object.isFrozen(env.corsOrigins)).toBe(true);
});

test.each([
  [undefined, 8000],
  ['', 8000],
  [' ', 8000],
  ['0', 0],
  ['9001', 9001],
  [' 9001 ', 9001],
  ['65535', 65_535],
])('PORT=%j is %d', (PORT, port) => {
  expect(readEnv({ PORT }).port).toBe(port);
});

test.each([
  ['PORT', 'http'],
  ['PORT', '80.5'],
  ['PORT', '-1'],
  ['PORT', '65536'],
  ['PORT', '8000x'],
  ['FERMATA_ALLOW_OPEN', 'true'],
  ['FERMATA_TASK_QUEUE', 'a b'],
  ['FERMATA_TASK_QUEUE', 'x'.repeat(101)],
])('%s=%j is refused by name', (name, value) => {
  expect(() => readEnv({ [name]: value })).toThrow(ConfigError);
  expect(() => readEnv({ [name]: value })).toThrow(new RegExp(`^Invalid environment variable ${name}: `));
});

test('every wrong variable gets a line', () => {
  expect(() => readEnv({ PORT: 'x', FERMATA_ALLOW_OPEN: 'x' })).toThrow(/PORT: .*\n.*FERMATA_ALLOW_OPEN: /);
});

test.each([
  [undefined, []],
  ['', []],
  [' , ,', []],
  ['*', []],
  ['http://a.example, *', []],
  ['http://a.example', ['http://a.example']],
  [' http://a.example ,,http://b.example:8080 ', ['http://a.example', 'http://b.example:8080']],
])('CORS_ORIGINS=%j allows %j', (CORS_ORIGINS, origins) => {
  expect(readEnv({ CORS_ORIGINS }).corsOrigins).toEqual(origins);
});

test.each([
  [{ AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-1'],
  [{ AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-2'],
  [{ AWS_DEFAULT_REGION: ' eu-west-2 ' }, 'eu-west-2'],
])('the region of %j is %s', (source, region) => {
  expect(readEnv(source).region).toBe(region);
});

test('a path of config.json is in the data folder unless it is absolute', () => {
  const env = readEnv({ FERMATA_DATA_DIR: '/srv/fermata' });
  expect(dataPath(env, 'logs/audit.log')).toBe('/srv/fermata/logs/audit.log');
});

describe('hostFlaw', () => {
  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is loopback', (HOST) => {
    expect(hostFlaw(readEnv({ HOST }))).toBeUndefined();
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', '1127.0.0.1', 'my-host'])(
    '%s is not, and the sentence says so',
    (HOST) => {
      expect(hostFlaw(readEnv({ HOST }))).toMatch(`HOST=${HOST} would let anybody on the network`);
      expect(hostFlaw(readEnv({ HOST, FERMATA_ALLOW_OPEN: '0' }))).toBeDefined();
      expect(hostFlaw(readEnv({ HOST, FERMATA_ALLOW_OPEN: '1' }))).toBeUndefined();
    },
  );
});
