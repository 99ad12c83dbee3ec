// Access from other origins: any by default; with a list, trimmed, only those on it.
import { apiAt } from '../kit/http.ts';
import type { Api } from '../kit/http.ts';
import { startChild } from '../kit/processes.ts';
import type { Child } from '../kit/processes.ts';
import { freePort } from '../../local/ports.ts';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';

const A = 'http://a.example';
const B = 'https://b.example:8443';
let system: System;
let listed: Api;
let process: Child;
beforeAll(async () => {
  system = await startSystem();
  const port = await freePort();
  process = await startChild({
    name: 'api-listed',
    script: 'dist/api/main.js',
    log: `${system.dir}/api-listed.log`,
    env: {
      PORT: String(port),
      CONFIG_PATH: `${system.dir}/config.json`,
      FERMATA_TASK_QUEUE: system.taskQueue,
      DATABASE_URL: system.databaseUrl,
      TEMPORAL_ADDRESS: system.temporalAddress,
      CORS_ORIGINS: ` ${A} , ${B},,`,
    },
  });
  listed = apiAt(`http://127.0.0.1:${port}`);
});
afterAll(async () => {
  await process?.stop();
  await system?.stop();
});

const get = (api: Api, path: string, origin: string) => api.call('GET', path, undefined, { origin });
const preflight = (api: Api, origin: string, path = '/api/v1/tasks') =>
  api.call('OPTIONS', path, undefined, {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type, idempotency-key',
  });
const names = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith('access-control-'));

test('without an origin there is no header of CORS', async () => {
  for (const api of [system.api, listed]) {
    const { headers } = await api.call('GET', '/health');
    expect(names(headers)).toEqual([]);
    expect(headers.get('vary')).toMatch(/\bOrigin\b/);
  }
});

test('by default any origin may read, without credentials, errors too', async () => {
  for (const path of ['/health', '/nothing', '/api/v1/tasks/unknown']) {
    const { headers } = await get(system.api, path, A);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('access-control-expose-headers')).toMatch(/Location.*ETag.*Retry-After/);
  }
});

test('by default a preflight is a plain OK with everything allowed', async () => {
  for (const path of ['/api/v1/tasks', '/api/v1/tasks/x/confirm', '/nothing']) {
    const { status, text, headers } = await preflight(system.api, A, path);
    expect([status, text]).toEqual([200, 'OK']);
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-methods')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT');
    expect(headers.get('access-control-max-age')).toBe('600');
    expect(headers.get('access-control-allow-headers')).toBe('content-type, idempotency-key');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  }
});

test('OPTIONS that is no preflight is a wrong method', async () => {
  expect((await system.api.call('OPTIONS', '/api/v1/tasks')).status).toBe(405);
  expect((await system.api.call('OPTIONS', '/api/v1/tasks', undefined, { origin: A })).status).toBe(405);
});

test.each([A, B])('with a list, %s is on it in spite of the spaces', async (origin) => {
  const { status, headers } = await get(listed, '/health', origin);
  expect(status).toBe(200);
  expect(headers.get('access-control-allow-origin')).toBe(origin);
  expect(headers.get('vary')).toMatch(/\bOrigin\b/);
  const before = await preflight(listed, origin);
  expect([before.status, before.text]).toEqual([200, 'OK']);
  expect(before.headers.get('access-control-allow-origin')).toBe(origin);
});

test.each(['http://c.example', 'null', `${A}.evil.example`, 'https://a.example', `${A}:80`, '*', 'rubbish'])(
  'with a list, %s is not on it',
  async (origin) => {
    const normal = await get(listed, '/health', origin);
    expect(normal.status).toBe(200);
    expect(normal.headers.get('access-control-allow-origin')).toBeNull();
    const before = await preflight(listed, origin);
    expect(before.status).toBe(400);
    expect(before.text).toContain('Disallowed CORS origin');
    expect(before.headers.get('access-control-allow-origin')).toBeNull();
  },
);
