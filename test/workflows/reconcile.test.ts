// Rows without workflows, cancellations that never arrived, and workflows behind their row: `reconcile` finds each.
import { randomUUID } from 'node:crypto';
import { reconcileScheduleId } from '../../worker/schedules.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
});
afterAll(() => system?.stop());

async function waiting(): Promise<string> {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  return id;
}

/** Makes the row look as if nothing had happened for a minute, which is when `reconcile` looks at it. */
const age = (id: string) =>
  system.db.query("update tasks set updated_at = updated_at - interval '1 minute' where id = $1", [id]);
const schedule = () => system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue));
/** Not by a trigger: of two within a second the schedule starts only one. */
const reconcile = () =>
  system.temporal.workflow.execute('reconcile', {
    taskQueue: system.taskQueue,
    workflowId: `reconcile-${randomUUID()}`,
  });

/** An approval that was recorded and whose workflow never heard of it, as when Temporal dies in between. */
async function approveBehind(id: string, by: string, validUntil: string): Promise<void> {
  const { plan_digest } = await system.api.get(id);
  const decision = { approve: true, by, planDigest: plan_digest, validUntil };
  await system.db.query(
    `insert into events (tenant, task_id, seq, at, by, from_status, to_status, phase, reason, detail)
     values ('default', $1, 3, now(), $2, 'AWAITING_CONFIRMATION', 'RUNNING', 'executing', 'approved', $3)`,
    [id, by, JSON.stringify({ says: `Approved by ${by}.`, decision })],
  );
  await system.db.query(
    `update tasks set status = 'RUNNING', phase = 'executing', reason = 'approved', last_seq = 3, decided_by = $2,
     approved = true where id = $1`,
    [id, by],
  );
  await system.db.query(
    `insert into leases (target, holder, mode, holder_run_id, taken_at)
     select plan->'steps'->0->>'target', 'task-' || id, 'exclusive', first_run_id, now() from tasks where id = $1`,
    [id],
  );
}

test('a task whose workflow was terminated by hand ends as lost', async () => {
  const id = await waiting();
  await system.temporal.workflow.getHandle(`task-${id}`).terminate('by hand');
  await age(id);
  await reconcile();
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'lost' });
  expect(ended.error).toContain('is terminated without having said how it ended');
  expect((await system.api.events(id)).at(-1)).toMatchObject({ by: 'fermata/reconcile' });
});

test('a stop mark whose cancellation never arrived is followed up', async () => {
  const id = await waiting();
  await system.db.query("update tasks set stop_requested_at = now(), stop_requested_by = 'somebody' where id = $1", [
    id,
  ]);
  await age(id);
  await reconcile();
  expect(await system.api.end(id)).toMatchObject({
    status: 'TERMINATED',
    error: `Task '${id}' was cancelled by somebody.`,
  });
});

test('a workflow behind its row is woken, and an old approval in the row is expired, never executed', async () => {
  const id = await waiting();
  await approveBehind(id, 'somebody', '2020-01-01T00:00:00.000Z');
  await age(id);
  await until('visible to Temporal as waiting', async () => {
    const query = `TaskStatus='AWAITING_CONFIRMATION' AND WorkflowId='task-${id}'`;
    return (await system.temporal.workflow.count(query)).count === 1;
  });
  await reconcile();
  expect(await system.api.end(id)).toMatchObject({ status: 'FAILED', reason: 'expired' });
  expect(system.cloud.effects('TerminateInstances')).toEqual([]);
});

test('who repeats an approval that its workflow never heard of is not kept waiting for `reconcile`', async () => {
  await schedule().pause();
  const id = await waiting();
  await approveBehind(id, 'anonymous', new Date().toISOString());
  expect((await system.api.confirm(id, true)).status).toBe(200);
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'anonymous', error: null });
});
