// Many waiting tasks: nobody stands in anybody's way, and everything is visible at once.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
});
afterAll(() => system?.stop());

const read = () => system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
const waiting = async () => (await system.api.list('?status=AWAITING_CONFIRMATION')).map(({ task_id }) => task_id);

test.each([16, 200])(
  '%i waiting tasks do not delay a safe read',
  async (count) => {
    const missing = count - (await waiting()).length;
    const ids = await Promise.all(
      Array.from({ length: missing }, () => system.api.submit('delete_instance', { instance_id: 'vm-prod-02' })),
    );
    await Promise.all(ids.map((id) => system.api.reach(id, 'AWAITING_CONFIRMATION')));
    const id = await read();
    expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED' });
    // All of them still wait: the read did not have to wait for any.
    expect(await waiting()).toHaveLength(count);
  },
  120_000,
);

test('SIGTERM and kill -9 with 200 accepted tasks lose none', async () => {
  const before = await waiting();
  expect(before).toHaveLength(200);
  await system.worker.stop();
  await system.apiProcess.kill9();
  const [first = ''] = before;
  await Promise.all([system.worker.start(), system.apiProcess.start()]);
  await system.worker.kill9();
  await system.worker.start();
  expect(await waiting()).toEqual(before);
  expect((await system.api.confirm(first, false)).status).toBe(200);
  await Promise.all(before.slice(1).map((id) => system.api.cancel(id)));
  const ended = await Promise.all(before.map((id) => system.api.end(id)));
  expect(ended.map(({ status }) => status).sort()).toEqual([
    'FAILED',
    ...Array.from({ length: 199 }, () => 'TERMINATED'),
  ]);
}, 180_000);

test('a submitted task is visible at once, 300 times out of 300', async () => {
  let seen = 0;
  for (let round = 0; round < 30; round += 1) {
    const ids = await Promise.all(Array.from({ length: 10 }, read));
    const found = await Promise.all(ids.map((id) => system.api.call('GET', `/api/v1/tasks/${id}`)));
    const listed = new Set((await system.api.list('?limit=50')).map(({ task_id }) => task_id));
    seen += found.filter(({ status }, index) => status === 200 && listed.has(ids[index] ?? '')).length;
  }
  expect(seen).toBe(300);
}, 120_000);
