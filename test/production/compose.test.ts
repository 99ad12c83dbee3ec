// The files for Docker, as far as they can be checked without an engine.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { z } from 'zod';
import { hostFlaw, readEnv } from '../../config/env.ts';
import { loadConfig } from '../../config/load.ts';
import { packageRoot } from '../../config/paths.ts';
import { runToEnd } from '../kit/processes.ts';
import {
  composePath,
  copiedFromClone,
  interpolated,
  readCompose,
  readDockerfile,
  serviceNamed,
} from './compose-file.ts';

const EXACT_TAG = /^[\w./-]+:v?\d+\.\d+\.?\d*[\w.-]*$/;
const manifest = z.looseObject({ scripts: z.looseObject({ api: z.string(), worker: z.string() }) });
const { services, volumes } = readCompose();
const each = Object.entries(services);
const inRepository = (path: string) => readFileSync(join(packageRoot, path), 'utf8');

test('the parts are there, each image with an exact version', () => {
  const parts = ['api', 'postgresql', 'temporal', 'temporal-namespace', 'temporal-schema', 'temporal-ui', 'worker'];
  expect(Object.keys(services).sort()).toEqual(parts);
  const images = [...each.map(([, { image }]) => image), ...readDockerfile().map(({ image }) => image)];
  for (const image of images) {
    expect(image).toMatch(EXACT_TAG);
    expect(image).not.toContain('latest');
  }
  const version = (name: string) => serviceNamed(name).image.split(':')[1];
  expect(version('temporal-schema')).toBe(version('temporal'));
  expect(version('temporal-namespace')).toBe(version('temporal'));
});

test('every service has a health check, or is waited for until it has ended', () => {
  for (const [name, { healthcheck }] of each) {
    const conditions = [...new Set(each.flatMap(([, { depends_on: on }]) => on[name]?.condition ?? []))];
    if (healthcheck === undefined)
      expect({ name, conditions }).toMatchObject({ conditions: ['service_completed_successfully'] });
    else expect({ name, test: healthcheck.test[0] }).toEqual({ name, test: 'CMD' });
    if (healthcheck !== undefined) expect(conditions).not.toContain('service_completed_successfully');
  }
});

test('what ends goes on only after a failure, what serves comes back and has time to stop', () => {
  for (const [name, { healthcheck, restart }] of each) {
    expect({ name, restart }).toEqual({ name, restart: healthcheck ? 'unless-stopped' : 'on-failure:10' });
  }
  for (const name of ['api', 'worker']) {
    expect(Number.parseInt(serviceNamed(name).stop_grace_period ?? '', 10)).toBeGreaterThan(10);
  }
});

test('nothing is published but on the loopback address, and the database not at all', () => {
  const ports = each.flatMap(([, service]) => service.ports);
  expect(ports.length).toBeGreaterThan(0);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{\w+:-\d+\}:\d+$/);
  expect(serviceNamed('postgresql').ports).toEqual([]);
  expect(serviceNamed('api').ports).toEqual(['127.0.0.1:${PORT:-8000}:8000']);
  expect(Object.keys(volumes)).toContain('postgresql-data');
});

test('the two processes get variables that they know, and start with them', () => {
  const known = new Set(
    [...inRepository('config/env.ts').matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(([, name]) => name),
  );
  for (const name of ['api', 'worker']) {
    const { environment } = serviceNamed(name);
    const unknown = Object.keys(environment).filter((key) => !known.has(key) && !key.startsWith('AWS_'));
    expect({ name, unknown }).toEqual({ name, unknown: [] });
    const given = Object.entries(environment).map(([key, value]) => [
      key,
      interpolated(value ?? '', { POSTGRES_PASSWORD: 'pw' }),
    ]);
    const env = readEnv(Object.fromEntries(given));
    expect(hostFlaw(env)).toBeUndefined();
    expect(env).toMatchObject({ taskQueue: 'fermata', temporalAddress: 'temporal:7233', temporalNamespace: 'default' });
    expect(new URL(env.databaseUrl ?? '')).toMatchObject({
      hostname: 'postgresql',
      pathname: '/fermata',
      password: 'pw',
    });
  }
  const { environment } = serviceNamed('api');
  expect(environment).toMatchObject({ HOST: '0.0.0.0', PORT: '8000', FERMATA_ALLOW_OPEN: '1' });
  expect(hostFlaw(readEnv({ HOST: '0.0.0.0' }))).toContain('FERMATA_ALLOW_OPEN');
});

test('without a password nothing is started, and none stands in the file', () => {
  const secrets = each.flatMap(([, { environment }]) =>
    Object.entries(environment).filter(([key, value]) => /PASSWORD|PWD|DATABASE_URL/.test(key) && value !== null),
  );
  expect(secrets.length).toBe(5);
  for (const [, value] of secrets) expect(() => interpolated(value ?? '', {})).toThrow('long password');
});

test('the commands are those of package.json, and the config of the image loads', () => {
  const { scripts } = manifest.parse(JSON.parse(inRepository('package.json')));
  // `exec` is for the shell that npm starts in between, which a container does not have.
  const command = (script: string) => script.replace(/^exec /, '').split(' ');
  expect(serviceNamed('api').command).toEqual(command(scripts.api));
  expect(serviceNamed('worker').command).toEqual(command(scripts.worker));
  const [last] = readDockerfile().slice(-1);
  expect(JSON.parse(last?.lines.at(-1)?.replace(/^CMD /, '') ?? '')).toEqual(command(scripts.api));
  expect(last?.lines).toContain('USER node');
  expect(loadConfig(join(packageRoot, 'config.json')).confirmation.timeout_seconds).toBeGreaterThan(0);
});

test('the Dockerfile copies what is there, all that is needed, and nothing that .dockerignore keeps out', () => {
  const stages = readDockerfile();
  const copied = new Set(stages.flatMap(({ lines }) => copiedFromClone(lines)));
  const let_in = inRepository('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  for (const path of copied) {
    expect({ path, there: existsSync(join(packageRoot, path)) }).toEqual({ path, there: true });
    expect(let_in).toContain(path.split('/')[0]);
  }
  const rooms = [...copied].filter((path) => !path.includes('/') && statSync(join(packageRoot, path)).isDirectory());
  const reached = rooms.flatMap((room) => importsOf(room)).filter((path) => !copied.has(path.split('/')[0] ?? ''));
  expect(reached).toEqual([]);
  const needed = [...copied].flatMap((room) => importsOf(room, /assetPath\(('[^)]*)\)/g, assetOf));
  const [last] = stages.slice(-1);
  const inImage = copiedFromClone(last?.lines ?? []);
  for (const asset of needed) expect(inImage.some((path) => asset.startsWith(path))).toBe(true);
  expect(needed.length).toBeGreaterThan(1);
});

test('docker compose accepts the file, where there is one', async () => {
  const run = (args: readonly string[]) =>
    runToEnd('sh', ['-c', `${args.join(' ')} -f '${composePath}' config`], { POSTGRES_PASSWORD: 'pw' });
  const clients = [['docker-compose'], ['docker', 'compose']];
  const found = [];
  for (const client of clients) {
    if ((await runToEnd('sh', ['-c', `${client.join(' ')} version`])).code === 0) found.push(client);
  }
  if (found.length === 0) process.stdout.write('There is no docker compose here: its own check was not made.\n');
  for (const client of found) {
    const { code, output } = await run(client);
    expect({ client, code, output }).toMatchObject({ code: 0 });
    for (const name of Object.keys(services)) expect(output).toContain(`\n  ${name}:\n`);
  }
});

/** Where the files of a room lead: by default the paths that they import, relative to the repository. */
function importsOf(
  room: string,
  pattern = /from '(\.{1,2}\/[^']+)'/g,
  named = (folder: string, text: string) => normalize(join(folder, text)),
): string[] {
  if (!statSync(join(packageRoot, room)).isDirectory()) return [];
  return readdirSync(join(packageRoot, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const folder = join(room, file, '..');
      return [...inRepository(join(room, file)).matchAll(pattern)].map(([, text = '']) => named(folder, text));
    });
}

function assetOf(_folder: string, text: string): string {
  return [...text.matchAll(/'([^']+)'/g)].map(([, part]) => part).join('/');
}
