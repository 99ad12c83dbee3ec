// Guarded members: what changes one is announced as waiting, a decision waits for the plan, and the plan is shown as it is.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { canonical } from '../../domain/plan.ts';
import type { JsonObject } from '../../domain/task.ts';
import { jobIs, startJob } from '../kit/jobs.ts';
import { ask, register } from '../kit/members.ts';
import { follow } from '../kit/sse.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
let instanceId: string;
beforeAll(async () => {
  system = await startSystem();
  await register(system, 'vm-prod-01', { guarded: true });
  await register(system, 'vm-prod-02');
  instanceId = await system.cloud.idOf('vm-prod-01');
}, 60_000);
afterAll(() => system.stop(), 30_000);

const accepted = z.object({ task_id: z.string(), is_high_risk: z.boolean(), message: z.string() });

test.each<[string, (id: string) => [string, JsonObject]]>([
  ['a command', () => ['/api/v1/members/VM-prod-01/commands', { command: 'true' }]],
  ['a stop', () => ['/api/v1/members/vm-prod-01/stop', {}]],
  ['a task on the member', () => tasks('run_command', { member: 'vm-prod-01', command: 'true' })],
  ['a task on its instance', (id) => tasks('stop_instance', { instance_id: id })],
])('%s is accepted as what waits for a decision, and waits', async (_, asked) => {
  const [path, body] = asked(instanceId);
  const key = {
    'idempotency-key': createHash('sha256')
      .update(path + JSON.stringify(body))
      .digest('hex'),
  };
  const answer = await system.api.call('POST', path, body, key);
  const { task_id: id, is_high_risk: waits, message } = accepted.parse(answer.body);
  expect(waits).toBe(true);
  expect(message).toMatch(/changes a GUARDED member — send POST \S+\/confirm with {"confirmed": true} to proceed\.$/);
  expect(message).toContain(`/api/v1/tasks/${id}/confirm`);
  expect((await system.api.call('POST', path, body, key)).text).toBe(answer.text);
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.api.cancel(id);
});

const tasks = (operation: string, params: JsonObject): [string, JsonObject] => [
  '/api/v1/tasks',
  { operation, resource: 'r', params },
];

test.each<[string, JsonObject]>([
  ['describe_instance', { instance_id: 'vm-prod-01' }],
  ['run_command', { member: 'vm-prod-02', command: 'true' }],
  ['run_command', { member: 'nobody', command: 'true' }],
])('%s of %j is accepted as what runs', async (operation, params) => {
  const { body } = await system.api.call('POST', ...tasks(operation, params));
  expect(accepted.parse(body)).toMatchObject({
    is_high_risk: false,
    message: expect.stringContaining('in background'),
  });
});

/** Decides while the worker stands still, so that there is no plan yet, and lets it go on. */
async function decidedEarly(submit: () => Promise<string>): Promise<{ readonly id: string; readonly status: number }> {
  system.worker.pause();
  try {
    const id = await submit();
    const answer = system.api.confirm(id, true);
    await pause(500);
    expect((await system.api.get(id)).status).toBe('PENDING');
    system.worker.resume();
    return { id, status: (await answer).status };
  } finally {
    system.worker.resume();
  }
}

test('a decision on a change of a guarded member waits for the plan', async () => {
  const { id, status } = await decidedEarly(() => ask(system, 'vm-prod-01', 'commands', { command: 'echo done' }));
  expect(status).toBe(200);
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'anonymous' });
}, 60_000);

test('so does one on a stop that cuts off a job, which only the plan tells', async () => {
  const job = await startJob(system, 'vm-prod-02', 'sleep 300');
  await jobIs(system, job, ['running']);
  const stop = { instance_id: await system.cloud.idOf('vm-prod-02'), force: true };
  const { id, status } = await decidedEarly(() => system.api.submit('stop_instance', stop));
  expect(status).toBe(200);
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'anonymous' });
}, 120_000);

const object = z.record(z.string(), z.json());
const shownPlan = z.object({
  says: z.string(),
  cost_usd_per_hour: z.number().nullable(),
  facts: object,
  steps: z.array(z.object({ args: z.object({ spec: object.optional() }).catchall(z.json()) }).catchall(z.json())),
  needs: object.optional(),
  guarded: z.array(z.string()),
  digest: z.string(),
});
const planned = z.object({ detail: z.looseObject({ plan: shownPlan }) });

/** Fermata's own words as they are inside: the keys of this object alone. */
const own = (words: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(words).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );

/** The digest of a plan as it is shown. */
function digestOf({ says, facts, steps, needs, guarded, cost_usd_per_hour: costUsdPerHour }: ShownPlan): string {
  const text = canonical({
    says,
    facts,
    steps: steps.map(({ args: { spec, ...args }, ...step }) => ({
      ...own(step),
      args: { ...args, ...(spec && { spec: own(spec) }) },
    })),
    ...(needs && { needs: own(needs) }),
    guarded,
    costUsdPerHour,
  });
  return createHash('sha256').update(text).digest('hex');
}
type ShownPlan = z.output<typeof shownPlan>;

test.each(['commands', 'jobs'])('whoever decides on %s sees the names that the digest covers', async (route) => {
  const env = { API_KEY: 'x', a_b: '1', aB: '2', runFrom: '3' };
  const labels = route === 'jobs' ? { labels: { costCenter: 'a', cost_center: 'b' } } : {};
  const reader = await follow(`${system.api.url}/api/v1/events?after=0`);
  const id = await ask(system, 'vm-prod-01', route, { command: 'true', env, ...labels });
  const task = await system.api.reach(id, 'AWAITING_CONFIRMATION');
  const mine = () => reader.events.find(({ data }) => data.includes(id) && data.includes('"AWAITING_CONFIRMATION"'));
  await until('the event', () => mine() !== undefined);
  await reader.stop();
  const events = await system.api.events(id);
  const plans = [
    shownPlan.parse(task.plan),
    planned.parse(events.find(({ to }) => to === 'AWAITING_CONFIRMATION')).detail.plan,
    planned.parse(JSON.parse(mine()?.data ?? '')).detail.plan,
  ];
  for (const plan of plans) {
    const args = plan.steps[0]?.args;
    expect(route === 'jobs' ? args?.spec : args).toMatchObject({ env, ...labels });
    expect(digestOf(plan)).toBe(task.plan_digest);
    expect(plan.guarded).toEqual(['vm-prod-01']);
  }
  await system.api.cancel(id);
});
