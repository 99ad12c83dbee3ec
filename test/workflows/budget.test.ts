// What a task may cost: workflow tasks and history events, counted on the real server.
import { costOf } from '../kit/history.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system?.stop());

const closed = (id: string) =>
  system.temporal.workflow
    .getHandle(`task-${id}`)
    .result()
    .catch(() => undefined);

test('a safe read takes 2 workflow tasks and at most 16 events', async () => {
  const id = await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
  expect((await system.api.end(id)).status).toBe('COMPLETED');
  await closed(id);
  const cost = await costOf(system.temporal, `task-${id}`);
  expect(cost.workflowTasks).toBe(2);
  expect(cost.events).toBeLessThanOrEqual(16);
});

test('an approved task of one step takes 4 workflow tasks and at most 34 events', async () => {
  await system.cloud.make('budget-1');
  const id = await system.api.submit('delete_instance', { instance_id: 'budget-1' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  expect((await system.api.confirm(id, true)).status).toBe(200);
  expect((await system.api.end(id)).status).toBe('COMPLETED');
  await closed(id);
  const cost = await costOf(system.temporal, `task-${id}`);
  expect(cost).toMatchObject({ workflowTasks: 4 });
  expect(cost.events).toBeLessThanOrEqual(34);
});
