// The quick start a caller knows: a deployment seen waiting, confirmed, rejected, and left to expire.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 2 } } });
});
afterAll(() => system?.stop());

const deploy = () => system.api.submit('deploy_to_production', { service_name: 'api-gateway', image_tag: 'v2.0.0' });

test('a deployment waits, is approved and completes with its build id', async () => {
  const id = await deploy();
  const waiting = await system.api.reach(id, 'AWAITING_CONFIRMATION');
  expect(waiting.phase).toBe('awaiting_approval');
  expect((await system.api.confirm(id, true)).status).toBe(200);
  const done = await system.api.end(id);
  expect(done).toMatchObject({ status: 'COMPLETED', error: null, decided_by: 'anonymous' });
  expect(done.result).toMatchObject({ status: 'DEPLOYED', service_name: 'api-gateway', image_tag: 'v2.0.0' });
  expect(done.result?.['build_id']).toMatch(/^build-\d{5}$/);
  expect(system.cloud.effects('RebootInstances')).toHaveLength(4);
});

test('a rejected one fails at once, and an undecided one when its time is up', async () => {
  const rejected = await deploy();
  await system.api.reach(rejected, 'AWAITING_CONFIRMATION');
  expect((await system.api.confirm(rejected, false)).status).toBe(200);
  expect(await system.api.end(rejected)).toMatchObject({ status: 'FAILED', reason: 'rejected' });
  const left = await deploy();
  const ended = await system.api.end(left);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'expired' });
  expect(ended.error).toContain('silence is a no');
  expect(system.cloud.effects('RebootInstances')).toHaveLength(4);
});
