// The Idempotency-Key: one task for a key and a body, however often, however fast and however late it is repeated.
import type { Answer } from '../kit/http.ts';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { expectError } from './shapes.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system?.stop());

const DESCRIBE = { operation: 'describe_instance', resource: 'x', params: { instance_id: 'vm-prod-01' } };
const submit = (key: string, body: object = DESCRIBE) =>
  system.api.call('POST', '/api/v1/tasks', body, { 'idempotency-key': key });
const idIn = ({ body }: Answer) =>
  String(typeof body === 'object' && body !== null ? Reflect.get(body, 'task_id') : '');

test('a repeated key gets the same answer, bare or quoted, marked as a replay', async () => {
  const first = await submit('key-1');
  expect(first.status).toBe(202);
  expect(first.headers.get('idempotency-replayed')).toBeNull();
  for (const key of ['key-1', '"key-1"']) {
    const again = await submit(key);
    expect(again).toMatchObject({ status: 202, text: first.text });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
  }
});

test('the same body in another order of keys is the same body', async () => {
  const first = await submit('key-order', { operation: 'list_instances', resource: 'x' });
  const again = await submit('key-order', { params: {}, resource: 'x', unknown: 1, operation: 'list_instances' });
  expect(again).toMatchObject({ status: 202, text: first.text });
});

test('after its task has ended a key still means that task', async () => {
  const first = await submit('key-late');
  await system.api.end(idIn(first));
  const again = await submit('key-late');
  expect(again).toMatchObject({ status: 202, text: first.text });
  expect(again.headers.get('idempotency-replayed')).toBe('true');
});

test('a key with another body is refused and starts nothing', async () => {
  const first = await submit('key-2');
  const before = (await system.api.list()).length;
  for (const other of [
    { ...DESCRIBE, resource: 'y' },
    { ...DESCRIBE, params: { instance_id: 'vm-prod-02' } },
    { operation: 'list_instances', resource: 'x' },
  ]) {
    const answer = await submit('key-2', other);
    const text = `This Idempotency-Key was used before with another body, for task '${idIn(first)}'.`;
    expectError(answer, 422, 'idempotency_key_reused', text);
  }
  expect(await system.api.list()).toHaveLength(before);
});

test('a refused body does not use up its key', async () => {
  expect((await submit('key-3', { ...DESCRIBE, params: {} })).status).toBe(422);
  const answer = await submit('key-3');
  expect(answer.status).toBe(202);
  expect(answer.headers.get('idempotency-replayed')).toBeNull();
});

test.each(['', '""', 'two words', 'x'.repeat(256), `"${'x'.repeat(256)}"`, '"open', 'ümlaut', '"a"b"', 'a,\tb'])(
  'the key %s is refused: case %#',
  async (key) => {
    const text = 'Idempotency-Key must be 1 to 255 visible ASCII characters, optionally in double quotes.';
    expectError(await submit(key), 400, 'idempotency_key_invalid', text);
  },
);

test('a key of 255 characters is fine', async () => {
  expect((await submit('x'.repeat(255))).status).toBe(202);
  expect((await submit(`"with space and, comma ${'y'.repeat(200)}"`)).status).toBe(202);
});

test('fifty duplicates at once are one task and fifty equal answers', async () => {
  await system.cloud.make('delete-me-once');
  const body = { operation: 'delete_instance', resource: 'x', params: { instance_id: 'delete-me-once' } };
  const before = (await system.api.list()).length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => submit('key-50', body)));
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(202);
  expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
  const [first] = answers;
  const id = first ? idIn(first) : '';
  expect((await system.api.list()).slice(before).map(({ task_id }) => task_id)).toEqual([id]);
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  expect((await system.api.confirm(id, true)).status).toBe(200);
  await system.api.end(id);
  expect((await submit('key-50', body)).headers.get('idempotency-replayed')).toBe('true');
  expect(system.cloud.effects('TerminateInstances')).toHaveLength(1);
});

test('fifty different bodies under one key at once: one is kept, the others are told so', async () => {
  const before = (await system.api.list()).length;
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => submit('key-contest', { ...DESCRIBE, resource: `r${index}` })),
  );
  const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
  expect(statuses).toEqual([202, ...Array.from({ length: 49 }, () => 422)]);
  expect(await system.api.list()).toHaveLength(before + 1);
});
