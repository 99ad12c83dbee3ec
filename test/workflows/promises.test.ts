// Promises at their edges: a stop is a stop, a recorded decision is answered, a lost deadline is no deadline.
import { setTimeout as pause } from 'node:timers/promises';
import { randomOf } from '../kit/random.ts';
import { follow } from '../kit/sse.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { connect } from 'node:net';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 60 } } });
});
afterAll(() => system?.stop());

test('a submit that waits is answered when the API is told to stop', async () => {
  await system.cloud.fault({ action: 'DescribeInstances', kind: 'slow', times: 3, delay_ms: 5_000 });
  const body = { operation: 'stop_instance', resource: 'x', params: { instance_id: 'vm-prod-02' } };
  const answering = system.api.call('POST', '/api/v1/tasks', body, { prefer: 'wait=20' });
  await pause(600);
  expect(await system.apiProcess.stop()).toBe(0);
  expect((await answering).status).toBe(202);
  await system.cloud.clearFaults();
  await system.apiProcess.start();
});

test('a refusal and a cancellation at once: each 200 is kept, and nobody gets a 500', async () => {
  const random = randomOf();
  for (let round = 0; round < 16; round += 1) {
    const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
    await system.api.reach(id, 'AWAITING_CONFIRMATION');
    const refusing = system.api.confirm(id, false);
    await pause(random.between(0, 14));
    const [refused, stopped] = await Promise.all([refusing, system.api.cancel(id)]);
    const ended = await system.api.end(id);
    expect([200, 409]).toContain(refused.status);
    expect([200, 409]).toContain(stopped.status);
    if (stopped.status === 200) expect(ended).toMatchObject({ status: 'TERMINATED', reason: 'cancelled' });
    else expect(ended).toMatchObject({ status: 'FAILED', reason: 'rejected' });
  }
});

test('a rolling restart waits for the checks of each batch before the next one', async () => {
  const id = await system.api.submit('restart_production_service', { service_name: 'web' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.api.confirm(id, true);
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED' });
  const [first, second] = system.cloud.effects('RebootInstances').map(({ at }) => Date.parse(String(at)));
  // The sandbox takes 400 ms for the checks of a rebooted instance.
  expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(400);
});

test('readers who leave at once leave nothing behind', async () => {
  const port = Number(new URL(system.api.url).port);
  const visit = () =>
    new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write('GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n', () => setTimeout(() => socket.destroy(), 1));
      });
      socket.once('close', () => resolve());
      socket.once('error', () => undefined);
    });
  for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: 100 }, visit));
  const reader = await follow(`${system.api.url}/api/v1/events`);
  await reader.stop();
});
