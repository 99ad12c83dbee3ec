// Cancelling: it stops at the next safe point, ends TERMINATED, and says what had happened and what was put back.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ stateMs: 700 });
});
afterAll(() => system?.stop());

async function fleet(service: string, size: number): Promise<void> {
  const numbers = Array.from({ length: size }, (_, index) => index + 1);
  await Promise.all(numbers.map((n) => system.cloud.make(`${service}-${n}`, { service, image: 'v1' })));
}

async function imagesOf(service: string, size: number): Promise<string[]> {
  const numbers = Array.from({ length: size }, (_, index) => index + 1);
  const found = await Promise.all(numbers.map((n) => system.cloud.find(`${service}-${n}`)));
  return found.map(({ Tags = [] }) => Tags.find(({ Key }) => Key === 'image')?.Value ?? '');
}

test('while it waits for a decision: at once, with nothing done', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-02' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  expect((await system.api.cancel(id)).status).toBe(200);
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'TERMINATED', reason: 'cancelled' });
  expect(ended.error).toBe(`Task '${id}' was cancelled by anonymous.`);
  expect((await system.api.events(id)).at(-1)).toMatchObject({ by: 'anonymous', to: 'TERMINATED' });
  expect((await system.api.cancel(id)).status).toBe(409);
  const { status } = await system.temporal.workflow.getHandle(`task-${id}`).describe();
  expect(status.name).toBe('CANCELLED');
});

test('in the middle of a roll-out: no further batch, and the event tells what had happened', async () => {
  await fleet('cart', 7);
  const id = await system.api.submit('deploy_to_production', { service_name: 'cart', image_tag: 'v2' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.api.confirm(id, true);
  await until('first tag', async () => (await imagesOf('cart', 7)).includes('v2'));
  expect((await system.api.cancel(id)).status).toBe(200);
  expect(await system.api.end(id)).toMatchObject({ status: 'TERMINATED', reason: 'cancelled' });
  const images = await imagesOf('cart', 7);
  expect(images).toContain('v2');
  expect(images).toContain('v1');
  const last = (await system.api.events(id)).at(-1);
  expect(last).toMatchObject({
    to: 'TERMINATED',
    detail: { outcomes: expect.arrayContaining([expect.objectContaining({ acted: true })]) },
  });
  const seen = system.cloud.effects().length;
  await system.api.end(await system.api.submit('list_instances', {}));
  expect(system.cloud.effects()).toHaveLength(seen);
});

test('with undo=true, what was changed is put back', async () => {
  await fleet('mail', 3);
  const id = await system.api.submit('deploy_to_production', { service_name: 'mail', image_tag: 'v2' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.api.confirm(id, true);
  await until('first tag', async () => (await imagesOf('mail', 3)).includes('v2'));
  expect((await system.api.cancel(id, '?undo=true')).status).toBe(200);
  expect(await system.api.end(id)).toMatchObject({ status: 'TERMINATED' });
  expect(await imagesOf('mail', 3)).toEqual(['v1', 'v1', 'v1']);
});

test('during a retry wait: at once', async () => {
  await system.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: -1 });
  const id = await system.api.submit('stop_instance', { instance_id: 'vm-staging-01' });
  await until('a try', async () => {
    const { raw } = await system.temporal.workflow.getHandle(`task-${id}`).describe();
    return (raw.pendingActivities?.[0]?.attempt ?? 0) >= 2;
  });
  expect((await system.api.cancel(id)).status).toBe(200);
  expect(await system.api.end(id)).toMatchObject({ status: 'TERMINATED' });
  await system.cloud.clearFaults();
  expect(await system.cloud.stateOf('vm-staging-01')).toBe('running');
});

test('a read is not cancelled any more when a lost attempt of it had recorded its answer', async () => {
  await system.cloud.fault({ action: 'DescribeInstances', kind: 'throttle', times: -1 });
  const id = await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
  await system.api.reach(id, 'RUNNING');
  await system.db.query(
    `insert into events (tenant, task_id, seq, at, by, from_status, to_status, phase, reason, detail)
     values ('default', $1, 2, now(), 'fermata', 'RUNNING', 'COMPLETED', 'closed', null, '{"says": "Done."}')`,
    [id],
  );
  await system.db.query(
    "update tasks set status = 'COMPLETED', phase = 'closed', last_seq = 2, result = '{\"id\": 7}' where id = $1",
    [id],
  );
  const handle = system.temporal.workflow.getHandle(`task-${id}`);
  await handle.cancel();
  await handle.result();
  await system.cloud.clearFaults();
  expect((await handle.describe()).status.name).toBe('COMPLETED');
  expect(await system.api.get(id)).toMatchObject({ status: 'COMPLETED', result: { id: 7 } });
});
