// Confirming and terminating as the contract has it: who may decide on what, when, how often, and what is answered.
import { z } from 'zod';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { expectError, NOT_CONFIRMABLE, NOT_TERMINABLE } from './shapes.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 300 } } });
});
afterAll(() => system?.stop());

const remove = async (name: string) => {
  await system.cloud.make(name);
  return system.api.submit('delete_instance', { instance_id: name });
};
const held = async (name: string) => {
  const id = await remove(name);
  return { id, task: await system.api.reach(id, 'AWAITING_CONFIRMATION') };
};
const terminated = () => system.cloud.effects('TerminateInstances').length;

test('an approval is answered word for word, the same again for the same, and a refusal after it is a 409', async () => {
  const { id } = await held('approve-me');
  const answer = await system.api.confirm(id, true);
  const text = JSON.stringify({
    task_id: id,
    confirmed: true,
    message: 'Operation approved. Task will proceed accordingly.',
  });
  expect(answer).toMatchObject({ status: 200, text });
  expect(await system.api.confirm(id, true)).toMatchObject({ status: 200, text });
  const decided = `Task '${id}' is not awaiting confirmation: it was already approved by anonymous.`;
  expectError(await system.api.confirm(id, false), 409, 'already_decided', decided);
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'anonymous', error: null });
  expect(await system.api.confirm(id, true)).toMatchObject({ status: 200, text });
  expectError(await system.api.confirm(id, false), 409, 'already_decided', decided);
});

test('a rejection ends the task as FAILED with its reason, and nothing can revive it', async () => {
  const before = terminated();
  const { id } = await held('reject-me');
  const answer = await system.api.confirm(id, false, { comment: 'not on a Friday' });
  const message = 'Operation rejected. Task will proceed accordingly.';
  expect(answer).toMatchObject({ status: 200, text: JSON.stringify({ task_id: id, confirmed: false, message }) });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'rejected', decided_by: 'anonymous', result: null });
  expect(ended.error).toContain('not on a Friday');
  expect((await system.api.confirm(id, false)).status).toBe(200);
  expect((await system.api.confirm(id, true)).status).toBe(409);
  expect(terminated()).toBe(before);
});

test.each([
  ['unnamed requests', {}],
  ['requests of the same id', { 'x-request-id': 'the-same-for-both' }],
])('of an approval and a refusal at the same moment, %s, one is a 200 and happens', async (name, headers) => {
  const { id } = await held(`race of ${name}`);
  const decide = (confirmed: boolean) => system.api.call('POST', `/api/v1/tasks/${id}/confirm`, { confirmed }, headers);
  const [yes, no] = await Promise.all([decide(true), decide(false)]);
  expect([yes.status, no.status].sort()).toEqual([200, 409]);
  expect((await system.api.end(id)).status).toBe(yes.status === 200 ? 'COMPLETED' : 'FAILED');
});

test('twenty equal approvals at once are twenty times the same 200 and one deletion', async () => {
  const before = terminated();
  const { id } = await held('approve-often');
  const answers = await Promise.all(Array.from({ length: 20 }, () => system.api.confirm(id, true)));
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(200);
  expect((await system.api.end(id)).status).toBe('COMPLETED');
  expect(terminated()).toBe(before + 1);
});

test('a decision sent before there is a plan waits for the plan', async () => {
  const id = await remove('decide-early');
  expect((await system.api.confirm(id, true)).status).toBe(200);
  expect((await system.api.end(id)).status).toBe('COMPLETED');
});

test.each([
  ['1', [{ type: 'bool_parsing', input: 1 }]],
  ['0', [{ type: 'bool_parsing', input: 0 }]],
  ['"yes"', [{ type: 'bool_parsing', input: 'yes' }]],
  ['"true"', [{ type: 'bool_parsing', input: 'true' }]],
  ['2', [{ type: 'bool_parsing', input: 2 }]],
  ['null', [{ type: 'bool_type', input: null }]],
  ['[]', [{ type: 'bool_type', input: [] }]],
  ['{"a":true}', [{ type: 'bool_type', input: { a: true } }]],
])('confirmed must be a boolean, not %s', async (value, [expected]) => {
  const { id, task } = strictly;
  const msg =
    expected?.type === 'bool_type'
      ? 'Input should be a valid boolean'
      : 'Input should be a valid boolean, unable to interpret input';
  const answer = await system.api.call('POST', `/api/v1/tasks/${id}/confirm`, `{"confirmed":${value}}`);
  expectError(answer, 422, 'invalid_request', [{ ...expected, loc: ['body', 'confirmed'], msg }]);
  expect((await system.api.get(id)).approve_by).toBe(task.approve_by);
});

let strictly: Awaited<ReturnType<typeof held>>;
beforeAll(async () => {
  strictly = await held('be-strict');
});

test('a body without a decision decides nothing, before the task is even looked up', async () => {
  const path = (id: string) => `/api/v1/tasks/${id}/confirm`;
  const missing = { type: 'missing', msg: 'Field required' };
  for (const id of [strictly.id, 'no-such-task']) {
    const none = await system.api.call('POST', path(id), {});
    expectError(none, 422, 'invalid_request', [{ ...missing, loc: ['body', 'confirmed'], input: {} }]);
    const empty = await system.api.call('POST', path(id));
    expectError(empty, 422, 'invalid_request', [{ ...missing, loc: ['body'], input: null }]);
    expect((await system.api.call('POST', path(id), '{')).status).toBe(422);
    expect((await system.api.call('POST', path(id), { confirmed: true, comment: 'x'.repeat(1_001) })).status).toBe(422);
    expect((await system.api.call('POST', path(id), '{"confirmed":true,"comment":"\\u0000"}')).status).toBe(422);
    expect((await system.api.call('POST', path(id), { confirmed: true, plan_digest: 5 })).status).toBe(422);
  }
  expect((await system.api.get(strictly.id)).status).toBe('AWAITING_CONFIRMATION');
});

test('a decision on another plan is a 412, on this plan a 200', async () => {
  const { id, task } = await held('by-digest');
  const digest = task.plan_digest ?? '';
  expect(digest).not.toBe('');
  const detail = `The plan of task '${id}' has digest ${digest}, not abc: read the plan again and decide on that one.`;
  for (const confirmed of [true, false]) {
    expectError(await system.api.confirm(id, confirmed, { plan_digest: 'abc' }), 412, 'plan_digest_mismatch', detail);
  }
  expect((await system.api.get(id)).decided_by).toBeNull();
  expect((await system.api.confirm(id, true, { plan_digest: digest, unknown: 1 })).status).toBe(200);
  expect((await system.api.end(id)).status).toBe('COMPLETED');
});

test('a safe task cannot be confirmed, neither while it runs nor when it has ended', async () => {
  await system.cloud.make('safe-one');
  const id = await system.api.submit('restart_instance', { instance_id: 'safe-one' });
  expectError(await system.api.confirm(id, true), 409, 'not_awaiting_confirmation', NOT_CONFIRMABLE(id));
  expect((await system.api.end(id)).status).toBe('COMPLETED');
  expectError(await system.api.confirm(id, true), 409, 'not_awaiting_confirmation', NOT_CONFIRMABLE(id));
});

test('terminating a waiting task is answered word for word and ends it, without a decision', async () => {
  const before = terminated();
  const { id } = await held('stop-me');
  const answer = await system.api.call('DELETE', `/api/v1/tasks/${id}`, 'this body is ignored');
  const message = `Termination signal sent to task '${id}'.`;
  expect(answer).toMatchObject({ status: 200, text: JSON.stringify({ task_id: id, signalled: true, message }) });
  expectError(await system.api.confirm(id, true), 409, 'not_awaiting_confirmation', NOT_CONFIRMABLE(id));
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'TERMINATED', reason: 'cancelled', decided_by: null });
  expect(ended.error).toBe(`Task '${id}' was cancelled by anonymous.`);
  expectError(await system.api.cancel(id), 409, 'not_terminable', NOT_TERMINABLE(id));
  expect(terminated()).toBe(before);
});

test('a body on DELETE is ignored whatever it is', async () => {
  const { id } = await held('stop-with-a-body');
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
  expect((await system.api.call('DELETE', `/api/v1/tasks/${id}`, 'no gzip at all', headers)).status).toBe(200);
  expect((await system.api.end(id)).status).toBe('TERMINATED');
});

test('the undo of a termination is true or false', async () => {
  const [issue] = z
    .object({ detail: z.array(z.unknown()) })
    .parse((await system.api.cancel(strictly.id, '?undo=maybe')).body).detail;
  expect(issue).toMatchObject({ type: 'enum', loc: ['query', 'undo'], input: 'maybe' });
  expect((await system.api.get(strictly.id)).status).toBe('AWAITING_CONFIRMATION');
});
