// What no client of good will sends: rubbish on the wire, absurd headers and addresses; the house stands afterwards.
import { connect } from 'node:net';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';

let system: System;
let port: number;
let kept: string;
beforeAll(async () => {
  system = await startSystem();
  port = Number(new URL(system.api.url).port);
  kept = await system.api.submit('list_instances', {});
  await system.api.end(kept);
});
afterEach(async () => {
  const { status, body } = await system.api.call('GET', '/api/v1/tasks');
  expect(status).toBe(200);
  expect(body).toEqual([expect.objectContaining({ task_id: kept, status: 'COMPLETED' })]);
  expect((await system.api.call('GET', '/health')).status).toBe(200);
});
afterAll(() => system?.stop());

/** Writes bytes to the port and reads until the other side closes; the client ends its side when `half` says so. */
function speak(bytes: string | Uint8Array, half = true): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const done = () => {
      socket.destroy();
      resolve(said);
    };
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
    socket.once('end', done);
    socket.once('error', done);
    socket.once('close', done);
    socket.write(bytes);
    if (half) socket.end();
  });
}

const statusesIn = (said: string) => [...said.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
const CLOSE = 'Host: x\r\nConnection: close\r\n';

test.each([
  ['no HTTP', 'hello, is anybody there?\r\n\r\n'],
  ['bytes', Uint8Array.from({ length: 4_096 }, (_, index) => (index * 37) % 256)],
  ['a TLS hello', Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no path', `GET HTTP/1.1\r\n${CLOSE}\r\n`],
  ['NUL in the path', `GET /api/v1/tasks/\0 HTTP/1.1\r\n${CLOSE}\r\n`],
  ['NUL in a header', `GET /health HTTP/1.1\r\n${CLOSE}X-A: a\0b\r\n\r\n`],
  ['no host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['an unknown method', `BREW /api/v1/tasks HTTP/1.1\r\n${CLOSE}\r\n`],
  ['two lengths', `POST /api/v1/tasks HTTP/1.1\r\n${CLOSE}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde`],
  [
    'a length and chunks',
    `POST /api/v1/tasks HTTP/1.1\r\n${CLOSE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['a negative length', `POST /api/v1/tasks HTTP/1.1\r\n${CLOSE}Content-Length: -1\r\n\r\n`],
  ['a bad chunk', `POST /api/v1/tasks HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`],
  ['a folded header', `GET /health HTTP/1.1\r\n${CLOSE}X-A: a\r\n b\r\n\r\nrest`],
  ['a header without colon', `GET /health HTTP/1.1\r\n${CLOSE}nonsense\r\n\r\n`],
])('%s on the wire is a 400', async (_, bytes) => {
  expect(statusesIn(await speak(bytes))).toEqual([400]);
});

test.each(['', '\r\n\r\n\r\n'])('%j on the wire is no request', async (bytes) => {
  expect(await speak(bytes)).toBe('');
});

test('a body that is promised and never comes whole starts nothing', async () => {
  const body = '{"operation":"list_instances","resource":"x"}';
  const head = `POST /api/v1/tasks HTTP/1.1\r\n${CLOSE}Content-Type: application/json\r\n`;
  const said = await speak(`${head}Content-Length: ${body.length + 1}\r\n\r\n${body}`);
  for (const status of statusesIn(said)) expect(status).toBe(400);
});

test('methods that fetch does not speak are wrong methods, or no conversation', async () => {
  expect(statusesIn(await speak(`TRACE /health HTTP/1.1\r\n${CLOSE}\r\n`))).toEqual([405]);
  expect(statusesIn(await speak(`PROPFIND /api/v1/tasks HTTP/1.1\r\n${CLOSE}\r\n`))).toEqual([405]);
  expect(statusesIn(await speak(`CONNECT example.org:443 HTTP/1.1\r\n${CLOSE}\r\n`))).toEqual([]);
});

test('an upgrade nobody offers, and an absolute address, are ordinary requests', async () => {
  const upgrade = `GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`;
  expect(statusesIn(await speak(upgrade, false))).toEqual([200]);
  expect(statusesIn(await speak(`GET http://x/health HTTP/1.1\r\n${CLOSE}\r\n`, false))).toEqual([200]);
});

test('two requests in one breath get two answers', async () => {
  const first = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';
  expect(statusesIn(await speak(`${first}GET /nothing HTTP/1.1\r\n${CLOSE}\r\n`, false))).toEqual([200, 404]);
});

test.each([
  ['a huge address', `GET /api/v1/tasks/${'a'.repeat(100_000)} HTTP/1.1\r\n${CLOSE}\r\n`],
  ['a huge query', `GET /api/v1/tasks?cursor=${'a'.repeat(100_000)} HTTP/1.1\r\n${CLOSE}\r\n`],
  ['a huge header', `GET /health HTTP/1.1\r\n${CLOSE}X-A: ${'a'.repeat(100_000)}\r\n\r\n`],
  ['headers without end', `GET /health HTTP/1.1\r\n${CLOSE}${'X-A: b\r\n'.repeat(20_000)}\r\n`],
])('%s is a 431', async (_, bytes) => {
  const said = await speak(bytes, false);
  expect(statusesIn(said).filter((status) => status !== 431)).toEqual([]);
});

test('a long address that fits is an unknown task, a long query a 422', async () => {
  expect((await system.api.call('GET', `/api/v1/tasks/${'a'.repeat(8_000)}`)).status).toBe(404);
  expect((await system.api.call('GET', `/api/v1/tasks?operation=${'a'.repeat(8_000)}`)).status).toBe(422);
  expect((await system.api.call('GET', `/api/v1/tasks?${'a[b]=c&'.repeat(1_000)}`)).status).toBe(200);
});

test.each([
  [{ 'content-encoding': 'gzip' }, 400],
  [{ 'content-encoding': 'br' }, 400],
  [{ 'content-encoding': 'rot13' }, 400],
  [{ 'content-type': 'application/json; charset=utf-16' }, 422],
  [{ 'content-type': `application/${'a+'.repeat(3_000)}` }, 422],
  [{ 'content-type': ';;;' }, 422],
  [{ 'idempotency-key': 'a b' }, 400],
])('a submit with the headers %j is a %i', async (headers, status) => {
  const answer = await system.api.call('POST', '/api/v1/tasks', { operation: 5 }, headers);
  expect(answer.body).toMatchObject({ detail: expect.anything(), code: expect.any(String) });
  if (!('idempotency-key' in headers)) expect(answer.status).toBe(status);
  else expect([400, 422]).toContain(answer.status);
});

test.each(['accept', 'prefer', 'if-none-match', 'last-event-id', 'origin', 'host', 'x-request-id', 'content-length'])(
  'an absurd %s is no bug',
  async (name) => {
    for (const value of ['', '\u00ff\u00fe', ',;=,;=', '"'.repeat(500), '*/*;q=9, x/y;q=a', 'wait=,wait=1e9']) {
      const said = await speak(
        Buffer.from(`GET /api/v1/tasks/nope HTTP/1.1\r\n${CLOSE}${name}: ${value}\r\n\r\n`, 'latin1'),
        false,
      );
      const statuses = statusesIn(said);
      expect(statuses).toHaveLength(1);
      expect([400, 404]).toContain(statuses[0]);
    }
  },
);
