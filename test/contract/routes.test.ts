// The fixed routes of the contract: health, the catalogue, the lists of nothing, and the router's own answers.
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { expectError, keysOf, NOT_CONFIRMABLE, NOT_TERMINABLE, UNKNOWN_ID, UUID } from './shapes.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system?.stop());

const HIGH = [
  'delete_instance',
  'deploy_to_production',
  'flush_cache',
  'restart_production_service',
  'revoke_iam_permissions',
  'scale_down_cluster',
  'terminate_database',
  'wipe_storage_bucket',
];
const CATALOGUE = [
  ['list_instances', 'List all VM instances', 'safe', []],
  ['describe_instance', 'Get details for a single VM instance', 'safe', ['instance_id']],
  ['restart_instance', 'Gracefully restart a running VM instance', 'safe', ['instance_id']],
  ['delete_instance', 'Permanently delete a VM instance', 'high', ['instance_id']],
  ['scale_down_cluster', 'Reduce the node count of a Kubernetes cluster', 'high', ['cluster_id', 'target_nodes']],
  [
    'deploy_to_production',
    'Deploy a new container image to the production environment',
    'high',
    ['service_name', 'image_tag'],
  ],
];

test('health names every guarded operation, sorted, in compact JSON', async () => {
  const { status, text, headers } = await system.api.call('GET', '/health');
  expect(status).toBe(200);
  expect(text).toBe(JSON.stringify({ status: 'ok', version: '0.1.0', high_risk_operations: HIGH }));
  expect(headers.get('content-type')).toMatch(/^application\/json(; charset=utf-8)?$/);
  expect(headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  expect(headers.get('date')).not.toBeNull();
  expect(headers.get('vary')).toMatch(/\bOrigin\b/);
  expect(headers.get('x-powered-by')).toBeNull();
});

test('liveness and readiness answer for probes', async () => {
  expect((await system.api.call('GET', '/livez')).status).toBe(200);
  const ready = await system.api.call('GET', '/readyz');
  expect(ready).toMatchObject({ status: 200, body: { ready: true, postgres: true, temporal: true } });
});

test('the catalogue begins with the six operations of the contract, word for word', async () => {
  const { status, body, text } = await system.api.call('GET', '/api/v1/operations?ignored=1');
  expect(status).toBe(200);
  const expected = CATALOGUE.map(([name, description, risk, params]) => ({ name, description, risk, params }));
  expect(text.startsWith(JSON.stringify(expected).slice(0, -1))).toBe(true);
  const all = Array.isArray(body) ? body : [];
  expect(all.length).toBeGreaterThanOrEqual(6);
  for (const entry of all) expect(keysOf(entry)).toEqual(['name', 'description', 'risk', 'params']);
});

test('a fresh system lists no task', async () => {
  expect(await system.api.call('GET', '/api/v1/tasks')).toMatchObject({ status: 200, text: '[]' });
});

test.each([UNKNOWN_ID, 'no-such-task', UNKNOWN_ID.toUpperCase(), 'a b', 'ü', '..;', 'x'.repeat(500)])(
  'the unknown task %s: 404 on GET, 409 on confirm and DELETE',
  async (id) => {
    const path = `/api/v1/tasks/${encodeURIComponent(id)}`;
    expectError(await system.api.call('GET', path), 404, 'task_not_found', `Task '${id}' not found.`);
    expectError(await system.api.call('GET', `${path}/events`), 404, 'task_not_found', `Task '${id}' not found.`);
    const confirm = await system.api.call('POST', `${path}/confirm`, { confirmed: true });
    expectError(confirm, 409, 'not_awaiting_confirmation', NOT_CONFIRMABLE(id));
    expectError(await system.api.call('DELETE', path), 409, 'not_terminable', NOT_TERMINABLE(id));
  },
);

test.each([
  '/',
  '/nothing',
  '/api',
  '/api/v1',
  '/api/v1/task',
  '/API/V1/TASKS',
  '/Health',
  '/api/v1/tasks/a%2Fb',
  '/api/v1/tasks/a%2fconfirm',
  '/api/v1/tasks/a/b/c',
  '/api/v1/tasks/%zz',
  '//health',
  '/docs/files/package.json',
  '/docs/files/..%2fpackage.json',
])('%s is no route', async (path) => {
  expectError(await system.api.call('GET', path), 404, 'not_found', 'Not Found');
});

test.each([
  ['DELETE', '/api/v1/tasks/a%2Fb'],
  ['POST', '/api/v1/tasks/a%2Fb/confirm'],
  ['PUT', '/nowhere'],
])('%s %s is no route either', async (method, path) => {
  expectError(await system.api.call(method, path, method === 'DELETE' ? undefined : {}), 404, 'not_found', 'Not Found');
});

const ROUTES = {
  '/health': ['GET'],
  '/livez': ['GET'],
  '/readyz': ['GET'],
  '/api/v1/operations': ['GET'],
  '/api/v1/tasks': ['GET', 'POST'],
  [`/api/v1/tasks/${UNKNOWN_ID}`]: ['DELETE', 'GET'],
  [`/api/v1/tasks/${UNKNOWN_ID}/confirm`]: ['POST'],
  [`/api/v1/tasks/${UNKNOWN_ID}/events`]: ['GET'],
  '/api/v1/events': ['GET'],
  '/docs': ['GET'],
  '/redoc': ['GET'],
  '/docs/oauth2-redirect': ['GET'],
  '/openapi.json': ['GET'],
};

test.each(Object.entries(ROUTES))('%s allows %j and nothing else', async (path, allowed) => {
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) {
    if (allowed.includes(method)) continue;
    const answer = await system.api.call(method, path);
    expect([method, answer.status]).toEqual([method, 405]);
    expect((answer.headers.get('allow') ?? '').split(', ').sort()).toEqual(allowed);
    if (method === 'HEAD') expect(answer.text).toBe('');
    else expectError(answer, 405, 'method_not_allowed', 'Method Not Allowed');
  }
});

test.each(['/health/', '/api/v1/operations/', '/api/v1/tasks/', `/api/v1/tasks/${UNKNOWN_ID}/`, '/docs/'])(
  'a trailing slash on %s is redirected with everything that was asked',
  async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await system.api.call(method, `${path}?limit=3&a=b%20c`);
      expect([method, answer.status]).toEqual([method, 307]);
      expect(answer.headers.get('location')).toBe(`${system.api.url}${path.slice(0, -1)}?limit=3&a=b%20c`);
    }
  },
);

test.each([
  ['GET', '', undefined],
  ['PATCH', '', { category: 'x' }],
  ['DELETE', '', undefined],
  ['POST', '/commands', { command: 'true' }],
  ['POST', '/snooze', { minutes: 1 }],
  ['GET', '/verdicts', undefined],
  ['GET', '/events', undefined],
  ['GET', '/files/a', undefined],
])('%s of a member%s that no name can be is of no member', async (method, rest, body) => {
  for (const ref of ['%00', 'a%00b']) {
    const answer = await system.api.call(method, `/api/v1/members/${ref}${rest}`, body);
    expectError(answer, 404, 'member_not_found', `Member '${ref.replace('%00', '')}' not found.`);
  }
});

test('a request id is made, or taken over when it is harmless', async () => {
  const made = (await system.api.call('GET', '/health')).headers.get('x-request-id');
  expect(made).toMatch(UUID);
  const given = await system.api.call('GET', '/nothing', undefined, { 'x-request-id': 'trace-1.A_b' });
  expectError(given, 404, 'not_found', 'Not Found');
  expect(given.headers.get('x-request-id')).toBe('trace-1.A_b');
  for (const bad of ['a b', 'x'.repeat(129), '<script>']) {
    const answer = await system.api.call('GET', '/health', undefined, { 'x-request-id': bad });
    expect(answer.headers.get('x-request-id')).toMatch(UUID);
  }
});

test('those who ask for problem+json get RFC 9457, all others the contract', async () => {
  const asks = (accept: string) => system.api.call('GET', `/api/v1/tasks/${UNKNOWN_ID}`, undefined, { accept });
  for (const accept of ['*/*', 'application/json', 'text/html', 'application/json, application/problem+json;q=0.5']) {
    expectError(await asks(accept), 404, 'task_not_found', `Task '${UNKNOWN_ID}' not found.`);
  }
  const problem = await asks('application/problem+json');
  expect(problem.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const requestId = problem.headers.get('x-request-id');
  expect(problem.body).toEqual({
    type: 'urn:fermata:error:task_not_found',
    title: 'TaskNotFound',
    status: 404,
    detail: `Task '${UNKNOWN_ID}' not found.`,
    instance: `urn:fermata:request:${requestId}`,
    code: 'task_not_found',
    request_id: requestId,
  });
});
