// What a submit and a task look like on the wire: fields in order, headers, waiting with Prefer, and ETags.
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { keysOf, TASK_KEYS, UUID } from './shapes.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 300 } } });
});
afterAll(() => system?.stop());

const TASKS = '/api/v1/tasks';
const idIn = (body: unknown) => String(typeof body === 'object' && body !== null ? Reflect.get(body, 'task_id') : '');
const submit = (operation: string, params: object, headers: Record<string, string> = {}) =>
  system.api.call('POST', TASKS, { operation, resource: 'a label', params }, headers);

test('a safe submit answers word for word, with where and when to look', async () => {
  const answer = await submit('describe_instance', { instance_id: 'vm-prod-01' });
  const id = idIn(answer.body);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const message = `Task '${id}' submitted and running in background.`;
  expect(answer.text).toBe(JSON.stringify({ task_id: id, status: 'PENDING', is_high_risk: false, message }));
  expect(answer.status).toBe(202);
  expect(answer.headers.get('location')).toBe(`${TASKS}/${id}`);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(answer.headers.get('idempotency-replayed')).toBeNull();
});

test('a guarded submit tells how to confirm, em dash and all', async () => {
  const answer = await submit('delete_instance', { instance_id: 'vm-prod-01' });
  const id = idIn(answer.body);
  const message =
    `Task '${id}' submitted. Operation 'delete_instance' is HIGH RISK — send POST /api/v1/tasks/${id}/confirm ` +
    `with {"confirmed": true} to proceed.`;
  expect(answer.text).toBe(JSON.stringify({ task_id: id, status: 'PENDING', is_high_risk: true, message }));
  expect(answer.status).toBe(202);
});

test.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.api+json', 'application/json;v=1'])(
  'content type %s is JSON, params may be left out, the last of doubled keys wins',
  async (type) => {
    const body = '{"operation":"nope","resource":"","unknown":[1],"operation":"list_instances"}';
    const { status } = await system.api.call('POST', `${TASKS}?ignored=%00`, body, { 'content-type': type });
    expect(status).toBe(202);
  },
);

test('a task shows every field in its order, at once and when it has ended', async () => {
  const began = Date.now() / 1000;
  const answer = await submit('describe_instance', { instance_id: 'vm-prod-01' });
  const id = idIn(answer.body);
  const first = await system.api.call('GET', `${TASKS}/${id}`);
  expect(keysOf(first.body)).toEqual([...TASK_KEYS, 'params', 'plan']);
  expect(first.text).toBe(JSON.stringify(first.body));
  const done = await system.api.end(id);
  expect(keysOf((await system.api.call('GET', `${TASKS}/${id}`)).body)).toEqual([...TASK_KEYS, 'params', 'plan']);
  const { body: list } = await system.api.call('GET', TASKS);
  const listed: unknown = Array.isArray(list) ? list.at(-1) : undefined;
  expect(keysOf(listed)).toEqual(TASK_KEYS);
  const fixed = { task_id: id, operation: 'describe_instance', resource: 'a label', status: 'COMPLETED', error: null };
  expect(listed).toMatchObject({ ...fixed, result: done.result, created_at: done.created_at });
  expect(done).toMatchObject({
    ...fixed,
    phase: 'closed',
    reason: null,
    plan_digest: null,
    requested_by: 'anonymous',
    decided_by: null,
    approve_by: null,
    attempts: 1,
    params: { instance_id: 'vm-prod-01' },
    plan: null,
  });
  expect(done.created_at).toBeGreaterThanOrEqual(began - 1);
  expect(done.updated_at).toBeGreaterThanOrEqual(done.created_at);
  expect(done.updated_at).toBeLessThanOrEqual(Date.now() / 1000 + 1);
});

test('what an approver decides on is on the task: params, plan, digest and the time left', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-02' });
  const task = await system.api.reach(id, 'AWAITING_CONFIRMATION');
  expect(task).toMatchObject({ phase: 'awaiting_approval', params: { instance_id: 'vm-prod-02' }, result: null });
  expect(task.plan_digest).toMatch(/^[\w:-]{16,128}$/);
  expect(keysOf(task.plan)).toEqual(expect.arrayContaining(['says', 'cost_usd_per_hour', 'facts', 'steps', 'digest']));
  expect(task.plan).toMatchObject({ digest: task.plan_digest, says: expect.stringContaining('vm-prod-02') });
  expect(task.plan?.steps[0]).toMatchObject({ call: 'terminate_instance', undo: { none: expect.any(String) } });
  expect(JSON.stringify(task.plan)).not.toMatch(/"[a-z]+[A-Z]\w*":/);
  const left = Date.parse(task.approve_by ?? '') / 1000 - task.updated_at;
  expect(left).toBeGreaterThan(299);
  expect(left).toBeLessThan(301);
  const waits = await system.api.list('?status=AWAITING_CONFIRMATION');
  expect(waits.find(({ task_id }) => task_id === id)).toMatchObject({ plan_digest: task.plan_digest });
});

test('the events of a task say who did what', async () => {
  const id = await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
  await system.api.end(id);
  const events = await system.api.events(id);
  const keys = ['task_id', 'tenant', 'seq', 'at', 'by', 'from', 'to', 'phase', 'reason', 'detail'];
  for (const [index, event] of events.entries()) {
    expect(keysOf(event).sort()).toEqual(keys.toSorted());
    expect(event).toMatchObject({ task_id: id, seq: index + 1, detail: { says: expect.any(String) } });
  }
  expect(events[0]).toMatchObject({ from: null });
  expect(events.at(-1)).toMatchObject({ to: 'COMPLETED' });
});

test('a submit that prefers to wait answers the same, later', async () => {
  const answer = await submit('list_instances', {}, { prefer: 'wait=10' });
  expect(answer).toMatchObject({ status: 202, body: { status: 'PENDING' } });
  expect(answer.headers.get('preference-applied')).toBe('wait=10');
  expect((await system.api.get(idIn(answer.body))).status).toBe('COMPLETED');
  const held = await submit('delete_instance', { instance_id: 'vm-prod-01' }, { prefer: 'respond-async, wait=10' });
  expect(held.headers.get('preference-applied')).toBe('wait=10');
  expect((await system.api.get(idIn(held.body))).status).toBe('AWAITING_CONFIRMATION');
});

test.each([
  ['wait=0', 'wait=0'],
  ['wait=1000000000', 'wait=30'],
  ['WAIT="2"', 'wait=2'],
  ['wait=-1', null],
  ['wait=soon', null],
  ['handling=lenient', null],
  ['await=5', null],
])('the preference %s is answered with %s', async (prefer, applied) => {
  const id = idIn((await submit('list_instances', {})).body);
  await system.api.end(id);
  const { status, headers } = await system.api.call('GET', `${TASKS}/${id}`, undefined, { prefer });
  expect(status).toBe(200);
  expect(headers.get('preference-applied')).toBe(applied);
});

test('a GET that prefers to wait answers as soon as somebody has to decide, or the task has ended', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-staging-01' });
  const read = (headers: Record<string, string>) => system.api.call('GET', `${TASKS}/${id}`, undefined, headers);
  const held = await read({ prefer: 'wait=20' });
  expect(held.body).toMatchObject({ status: 'AWAITING_CONFIRMATION' });
  const etag = held.headers.get('etag') ?? '';
  const [changed] = await Promise.all([
    read({ prefer: 'wait=20', 'if-none-match': etag }),
    system.api.confirm(id, false),
  ]);
  expect(changed.status).toBe(200);
  expect(changed.headers.get('etag')).not.toBe(etag);
  await system.api.end(id);
  expect((await read({ prefer: 'wait=20' })).body).toMatchObject({ status: 'FAILED', reason: 'rejected' });
});

test('an ETag names the state of a task: the same 304s, another 200s', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-dev-01' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  const read = (headers: Record<string, string>) => system.api.call('GET', `${TASKS}/${id}`, undefined, headers);
  const etag = (await read({})).headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[^"]+"$/);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const same = await read({ 'if-none-match': known });
    expect([known, same.status, same.text]).toEqual([known, 304, '']);
    expect(same.headers.get('etag')).toBe(etag);
  }
  for (const other of ['"other"', etag.slice(1, -1), 'rubbish']) {
    expect((await read({ 'if-none-match': other })).status).toBe(200);
  }
  const waited = await read({ 'if-none-match': etag, prefer: 'wait=1' });
  expect(waited.status).toBe(304);
  await system.api.confirm(id, false);
  await system.api.end(id);
  const after = await read({ 'if-none-match': etag });
  expect(after.status).toBe(200);
  expect(after.headers.get('etag')).not.toBe(etag);
});

test.each(['', '😀'.repeat(15_000), 'a' + '😀'.repeat(200), '"\\\n\t\u2028', '\u202e\u0007', 'x'.repeat(64_000)])(
  'a label is free text and comes back as it was: case %#',
  async (resource) => {
    const answer = await system.api.call('POST', TASKS, { operation: 'list_instances', resource });
    expect(answer.status).toBe(202);
    expect(idIn(answer.body)).toMatch(UUID);
    expect(await system.api.end(idIn(answer.body))).toMatchObject({ status: 'COMPLETED', resource });
  },
);
