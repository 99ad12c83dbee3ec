// Events as they happen: nothing is lost and nothing repeated over reconnects, also while the API is restarted.
import { randomOf } from '../kit/random.ts';
import type { Reader } from '../kit/sse.ts';
import { follow } from '../kit/sse.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system?.stop());

test('a reader that is cut off again and again sees every event once, in order', async () => {
  const random = randomOf();
  const url = `${system.api.url}/api/v1/events`;
  const seen: string[] = [];
  let reader: Reader = await follow(`${url}?after=0`);
  const tasks = 40;
  const submitting = (async () => {
    for (let index = 0; index < tasks; index += 1) {
      await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
    }
  })();
  for (let cut = 0; cut < 12; cut += 1) {
    const goal = reader.events.length + random.between(0, 6);
    await until('some events', () => reader.events.length >= goal, 3_000).catch(() => undefined);
    await reader.stop();
    seen.push(...reader.events.map(({ id }) => id));
    reader = await follow(url, reader.lastId());
  }
  await submitting;
  await until('all events', () => seen.length + reader.events.length >= tasks * 2);
  await reader.stop();
  seen.push(...reader.events.map(({ id }) => id));
  expect(seen).toEqual(Array.from({ length: tasks * 2 }, (_, index) => String(index + 1)));
});

test('a reader without a place starts from now, and knows its place before the first event', async () => {
  const reader = await follow(`${system.api.url}/api/v1/events`);
  await until('a place', () => reader.lastId() !== '');
  await reader.stop();
  expect(reader.events).toEqual([]);
  const id = await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
  await system.api.end(id);
  const back = await follow(`${system.api.url}/api/v1/events`, reader.lastId());
  await until('both events', () => back.events.length === 2);
  await back.stop();
  expect(back.events.map(({ data }) => JSON.parse(data))).toMatchObject([
    { task_id: id, seq: 1, from: null, to: 'RUNNING' },
    { task_id: id, seq: 2, from: 'RUNNING', to: 'COMPLETED' },
  ]);
});

test('every event says who, what, when, from which state to which, and why', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-02' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.api.confirm(id, false, { comment: 'still in use' });
  await system.api.end(id);
  const events = await system.api.events(id);
  expect(events).toMatchObject([
    { seq: 1, by: 'fermata', from: null, to: 'PENDING', phase: 'planning', reason: null },
    { seq: 2, by: 'fermata', from: 'PENDING', to: 'AWAITING_CONFIRMATION', phase: 'awaiting_approval' },
    { seq: 3, by: 'anonymous', from: 'AWAITING_CONFIRMATION', to: 'FAILED', reason: 'rejected' },
  ]);
  for (const { at, detail } of events) {
    expect(Math.abs(Date.now() - Date.parse(String(at)))).toBeLessThan(60_000);
    expect(detail).toMatchObject({ says: expect.stringMatching(/\S/) });
  }
  expect(events[2]).toMatchObject({ detail: { decision: { approve: false, comment: 'still in use' } } });
  // Lines follow the seals, which come in batches.
  await until('the audit file has them', () => {
    const lines = system.logs('logs/audit').split('\n');
    return lines.filter((line) => line.includes(`task_id=${id}`)).length === 3;
  });
});
