// Budgets that act: a machine over its limit is stopped by a task of the policy, once, and a tenant's by the same rule.
import { DEFAULT_IDLE_POLICY } from '../../domain/idle-policy.ts';
import { z } from 'zod';
import { budgetStops } from '../../activities/budgets.ts';
import type { Postgres } from '../../clients/postgres.ts';
import { openPostgres } from '../../clients/postgres.ts';
import type { Budget, Budgets } from '../../domain/budget.ts';
import { memberById } from '../../store/members.ts';
import { reconcileScheduleId, sweepScheduleId } from '../../worker/schedules.ts';
import { ended, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
let postgres: Postgres;
let gpu: string;
let prod: string;
beforeAll(async () => {
  system = await startSystem({ config: { budgets: { member: { per: 'month', stop_usd: 1_000 } } } });
  await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).pause();
  await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).pause();
  postgres = openPostgres(system.databaseUrl);
  gpu = (await register(system, 'gpu-train-01')).member_id;
  prod = (await register(system, 'vm-prod-01')).member_id;
}, 90_000);
afterAll(async () => {
  await postgres?.close();
  await system?.stop();
}, 30_000);
beforeEach(() => system.db.query('update members set stop_task_id = null, stop_asked_at = null'));

// Not a day: midnight would come between two lines of a test more often.
const per = 'month';
const idle = { timeScale: 1, keepVerdictsMs: 1, maxSnoozeMin: 60, rule: DEFAULT_IDLE_POLICY };
const stopsUnder = async (budgets: Partial<Budgets>) => {
  const rows = await Promise.all([gpu, prod].map((id) => memberById(postgres.db, id)));
  const policy = { idle, prices: undefined, budgets: { member: null, tenant: null, ...budgets } };
  return budgetStops(
    { postgres, policy },
    rows.flatMap((row) => row ?? []),
  );
};
/** As if it had cost so much today, all of it at a price of its own. */
const spend = async (id: string, usd: number | null) => {
  await system.db.query(
    `update machine_time set usd_per_hour = $2, instance_type = 'x9.huge', from_at = $3::timestamptz where member_id = $1`,
    [id, usd === null ? null : usd * 60, new Date(Date.now() - 1_000)],
  );
  const registeredAt = [id, new Date(Date.now() - 2_000)];
  await system.db.query('update members set registered_at = $2 where id = $1', registeredAt);
  await system.db.query("update member_events set at = $2 where member_id = $1 and kind = 'registered'", registeredAt);
};
const eventsOf = async (id: string) => {
  const { body } = await system.api.call('GET', `/api/v1/members/${id}/events`);
  return z
    .array(z.looseObject({ kind: z.string(), by: z.string() }))
    .parse(body)
    .filter(({ by }) => by === 'policy/budget')
    .map(({ kind }) => kind);
};
const findings = async () => {
  const { body } = await system.api.call('GET', '/api/v1/findings?open=true&kind=tenant_budget');
  return z.array(z.looseObject({ subject: z.string(), says: z.string() })).parse(body);
};

test.each<[string, number | null, Partial<Budget>, boolean]>([
  ['below its limits', 4, {}, false],
  ['above the warning', 6, {}, false],
  ['at its limit', 10, {}, true],
  ['at its limit, where nothing is to be stopped', 99, { stopUsd: null }, false],
  ['at a price that nobody knows', null, {}, false],
])('a member %s', async (_, usd, budget, stopped) => {
  await spend(gpu, usd);
  await spend(prod, 0);
  const stops = await stopsUnder({ member: { per, warnUsd: 5, stopUsd: 10, ...budget } });
  expect(stops.map(({ name, by, ifIdle }) => [name, by, ifIdle])).toEqual(
    stopped ? [['gpu-train-01', 'policy/budget', false]] : [],
  );
});

test('is named for one task until that has ended, and told of once', async () => {
  await spend(gpu, 50);
  await spend(prod, 0);
  const member: Budget = { per, warnUsd: 1, stopUsd: 7 };
  const before = (await eventsOf(gpu)).filter((kind) => kind === 'budget_reached').length;
  const [first] = await stopsUnder({ member });
  expect(first?.tenant).toBe('default');
  expect((await memberById(postgres.db, gpu))?.stopTaskId).toBe(first?.taskId);
  expect(await stopsUnder({ member })).toEqual([]);
  await system.db.query('update members set stop_task_id = null');
  expect(await stopsUnder({ member })).toHaveLength(1);
  expect((await eventsOf(gpu)).filter((kind) => kind === 'budget_reached')).toHaveLength(before + 1);
  expect(await eventsOf(prod)).toEqual([]);
});

test('a sweep that read its row before another policy named a stop names none', async () => {
  await spend(gpu, 50);
  const row = await memberById(postgres.db, gpu);
  const policy = {
    idle,
    prices: undefined,
    budgets: { member: { per, warnUsd: null, stopUsd: 1 }, tenant: null },
  } as const;
  await system.db.query("update members set stop_task_id = 'another', stop_asked_at = now() where id = $1", [gpu]);
  expect(await budgetStops({ postgres, policy }, row ? [row] : [])).toEqual([]);
});

test('a tenant at its limit has all of its machines stopped, and a finding until it is so no more', async () => {
  await spend(gpu, 6);
  await spend(prod, 6);
  const tenant: Budget = { per, warnUsd: 5, stopUsd: 100 };
  expect(await stopsUnder({ tenant })).toEqual([]);
  expect(await findings()).toEqual([
    expect.objectContaining({ subject: 'default', says: expect.stringMatching(/^Tenant default has used \$5/) }),
  ]);
  const stops = await stopsUnder({ tenant: { ...tenant, stopUsd: 12 } });
  expect(stops.map(({ name }) => name).sort()).toEqual(['gpu-train-01', 'vm-prod-01']);
  expect((await findings())[0]?.says).toMatch(/has reached the limit of \$12\.00/);
  expect(await stopsUnder({ tenant: { ...tenant, warnUsd: 50, stopUsd: 60 } })).toEqual([]);
  expect(await findings()).toEqual([]);
});

test('what a removed member has cost is not forgotten', async () => {
  await spend(gpu, 3);
  await spend(prod, 3);
  const gone = (await register(system, 'vm-prod-02')).member_id;
  await spend(gone, 6);
  const removed = await system.api.call('DELETE', `/api/v1/members/${gone}?stop=false`);
  await ended(system, z.object({ task_id: z.string() }).parse(removed.body).task_id);
  const stops = await stopsUnder({ tenant: { per, warnUsd: null, stopUsd: 11 } });
  expect(stops.map(({ name }) => name).sort()).toEqual(['gpu-train-01', 'vm-prod-01']);
}, 60_000);

test('the sweep stops a machine over its limit by a task of the policy', async () => {
  await spend(gpu, 5_000);
  await spend(prod, 0);
  await system.temporal.workflow.execute('sweepIdle', {
    taskQueue: system.taskQueue,
    workflowId: `${system.taskQueue}-sweep-once`,
  });
  // The row is written by the task's own workflow.
  const task = await until('the task', async () => {
    const { body } = await system.api.call('GET', '/api/v1/tasks?operation=stop_instance');
    return z
      .array(z.looseObject({ task_id: z.string(), requested_by: z.string(), resource: z.string() }))
      .parse(body)[0];
  });
  expect(task).toMatchObject({ requested_by: 'policy/budget', resource: 'gpu-train-01' });
  expect((await ended(system, task.task_id)).status).toBe('COMPLETED');
  expect(await system.cloud.stateOf('gpu-train-01')).toBe('stopped');
  expect(system.cloud.effects('StopInstances')).toHaveLength(1);
}, 90_000);
