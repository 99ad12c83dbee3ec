// The fleet at a glance and costs, on machines of the sandbox: what runs costs, what is stopped does not, and each figure has an age.
import { z } from 'zod';
import { fleetAnswer, memberCostAnswer, taskCostAnswer } from '../../api/fleet-fields.ts';
import { openPostgres } from '../../clients/postgres.ts';
import { getFleet } from '../../service/fleet.ts';
import { reconcileScheduleId, sweepScheduleId } from '../../worker/schedules.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import type { Member } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
let gpu: Member;
beforeAll(async () => {
  system = await startSystem({
    config: {
      prices: { as_of: '2030-01-01', usd_per_hour: { 'm5.xlarge': 0.5 } },
      budgets: { member: { per: 'day', warn_usd: 0.000_001 } },
    },
  });
  // Nobody looks at the machines while times in the store are moved.
  await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).pause();
  await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).pause();
  gpu = await register(system, 'gpu-train-01');
  await register(system, 'vm-dev-01');
  await register(system, 'vm-prod-01');
  const plain = {
    friendly_name: 'a-host',
    host: '127.0.0.1',
    port: 9,
    username: 'me',
    key_path: '/none',
    work_folder: '/tmp',
  };
  expect((await system.api.call('POST', '/api/v1/members', plain)).status).toBe(201);
}, 90_000);
afterAll(() => system?.stop(), 30_000);

const fleet = async (query = '') => {
  const answer = await system.api.call('GET', `/api/v1/fleet${query}`);
  return { ...fleetAnswer.parse(answer.body), link: answer.headers.get('link') };
};
const rowOf = async (name: string) => {
  const { members } = await fleet();
  const found = members.find(({ friendly_name }) => friendly_name === name);
  if (!found) throw new Error(`no ${name} in the fleet`);
  return found;
};
const costOf = async (ref: string) => {
  const { body } = await system.api.call('GET', `/api/v1/members/${ref}`);
  return z.looseObject({ cost: memberCostAnswer.nullable(), observed_age_s: z.number().nullable() }).parse(body);
};
const kindsOf = (warnings: readonly { readonly kind: string }[]) => warnings.map(({ kind }) => kind);
const HOURS = 3_600;

test('each machine with its state, uptime and price; sums of all that run', async () => {
  const { members, totals, budget, link } = await fleet();
  expect(members.map(({ friendly_name, state }) => [friendly_name, state])).toEqual([
    ['a-host', null],
    ['gpu-train-01', 'running'],
    ['vm-dev-01', 'stopped'],
    ['vm-prod-01', 'running'],
  ]);
  const [plain, gpuRow, stopped, prod] = members;
  expect(plain).toMatchObject({ usd_per_hour: null, session_usd: null, uptime_s: null, warnings: [] });
  expect(stopped).toMatchObject({ usd_per_hour: 0, session_usd: 0, uptime_s: null, uptime_text: null, warnings: [] });
  expect(prod?.usd_per_hour).toBe(0.5);
  // The sandbox started it long before it was registered.
  const uptimeS = gpuRow?.uptime_s ?? 0;
  expect(uptimeS).toBeGreaterThan(24 * HOURS);
  expect(gpuRow?.session_usd).toBeCloseTo((1.006 * uptimeS) / HOURS, 1);
  expect(gpuRow?.uptime_text).toMatch(/^\d+d \d+h/);
  expect(kindsOf(gpuRow?.warnings ?? [])).toEqual(expect.arrayContaining(['high_cost', 'long_session']));
  expect(totals).toMatchObject({ members: 4, running: 2, unpriced: 0, usd_per_hour: 1.506 });
  expect(totals.session_usd).toBeCloseTo((gpuRow?.session_usd ?? 0) + (prod?.session_usd ?? 0), 4);
  expect([budget, link]).toEqual([null, null]);
});

test('pages by name, the sums being those of all', async () => {
  const names: string[] = [];
  let next: string | undefined = '?limit=3';
  while (next !== undefined) {
    const { members, totals, link } = await fleet(next);
    names.push(...members.map(({ friendly_name }) => friendly_name));
    expect(totals.members).toBe(4);
    next = /<\/api\/v1\/fleet(\?[^>]*)>; rel="next"/.exec(link ?? '')?.[1];
  }
  expect(names).toEqual(['a-host', 'gpu-train-01', 'vm-dev-01', 'vm-prod-01']);
  expect((await system.api.call('GET', '/api/v1/fleet?limit=1001')).status).toBe(422);
});

test('a member says what it costs, by which prices, and how old each look is', async () => {
  const { cost } = await costOf('vm-prod-01');
  expect(cost).toMatchObject({
    usd_per_hour: 0.5,
    prices_as_of: '2030-01-01',
    prices_region: null,
    price_says: 'price of 2030-01-01 from config',
    session_text: expect.stringMatching(/^\$\d+\.\d\d in \d+d .*at \$0\.500\/hr$/),
  });
  // The ledger begins where the machine was started, and nothing else has run.
  expect(cost?.total_usd).toBeCloseTo(cost?.session_usd ?? 0, 2);
  expect((await costOf('a-host')).cost).toBeNull();
  await system.db.query("update members set observed_at = observed_at - interval '100 seconds' where id = $1", [
    gpu.member_id,
  ]);
  const { observed_age_s, cost: gpuCost } = await costOf('gpu-train-01');
  expect(observed_age_s).toBeGreaterThanOrEqual(100);
  expect((await rowOf('gpu-train-01')).observed_age_s).toBeGreaterThanOrEqual(100);
  expect(gpuCost).toMatchObject({ price_says: 'list price of us-east-1 as of 2025-01-15', prices_region: 'us-east-1' });
});

test('a budget is charged from the registration on, and says so on the member and in the fleet', async () => {
  const { cost } = await costOf('gpu-train-01');
  expect(cost?.budget?.level).toBe('warn');
  const [, spent] = /^\$(\d+\.\d\d) spent today/.exec(cost?.budget?.says ?? '') ?? [];
  expect(Number(spent)).toBeLessThan(1);
  expect(kindsOf((await rowOf('gpu-train-01')).warnings)).toContain('budget_warn');
});

test('a price that nobody knows makes no half sum', async () => {
  const price = (type: string, usd: number | null) =>
    system.db.query(
      'update machine_time set instance_type = $2, usd_per_hour = $3 where member_id = $1 and to_at is null',
      [gpu.member_id, type, usd],
    );
  await price('x9.huge', null);
  expect(await rowOf('gpu-train-01')).toMatchObject({ usd_per_hour: null, session_usd: null });
  expect((await fleet()).totals).toMatchObject({ running: 2, unpriced: 1, usd_per_hour: null, session_usd: null });
  expect(kindsOf((await costOf('gpu-train-01')).cost?.warnings ?? [])).toContain('unknown_price');
  await price('g5.xlarge', 1.006);
});

test('a command shows as a lease while it runs, and its machine time as its cost', async () => {
  const id = await ask(system, 'gpu-train-01', 'commands', { command: 'read line', stdin: '' });
  expect((await ended(system, id)).status).toBe('COMPLETED');
  const holding = ask(system, 'gpu-train-01', 'commands', { command: 'sleep 4' });
  const held = await until('a lease', async () => (await rowOf('gpu-train-01')).leases[0]);
  expect(held).toMatchObject({ holder: `task-${await holding}`, mode: 'shared' });
  expect(kindsOf((await rowOf('gpu-train-01')).warnings)).not.toContain('unused');
  const running = taskCostAnswer.parse((await system.api.call('GET', `/api/v1/tasks/${await holding}/cost`)).body);
  expect(running).toMatchObject({ member_id: gpu.member_id, to: null });
  expect((await ended(system, await holding)).status).toBe('COMPLETED');
  const { from, to, usd } = taskCostAnswer.parse(
    (await system.api.call('GET', `/api/v1/tasks/${await holding}/cost`)).body,
  );
  const seconds = (Date.parse(to ?? '') - Date.parse(from ?? '')) / 1000;
  expect(seconds).toBeGreaterThanOrEqual(4);
  expect(usd).toBeCloseTo((1.006 * seconds) / HOURS, 5);
  expect((await rowOf('gpu-train-01')).leases).toEqual([]);
}, 90_000);

test('a task that uses no member costs nothing, and an unknown one is not found', async () => {
  const id = await system.api.submit('list_instances', {});
  await system.api.end(id);
  const { body } = await system.api.call('GET', `/api/v1/tasks/${id}/cost`);
  expect(body).toEqual({ task_id: id, member_id: null, from: null, to: null, usd: 0 });
  const none = '/api/v1/tasks/01234567-89ab-4cde-8f01-23456789abcd/cost';
  expect((await system.api.call('GET', none)).status).toBe(404);
  expect((await system.api.call('GET', '/api/v1/tasks/a%00b/cost')).status).toBe(404);
});

test('stopped, it costs nothing more; what it has cost stays', async () => {
  await run(system, 'vm-dev-01', 'true');
  expect(await rowOf('vm-dev-01')).toMatchObject({ state: 'running', usd_per_hour: 0.0104 });
  const stop = await system.api.call('POST', '/api/v1/members/vm-dev-01/stop');
  await ended(system, z.object({ task_id: z.string() }).parse(stop.body).task_id);
  // At once: the sweep is paused here.
  expect(await rowOf('vm-dev-01')).toMatchObject({ state: 'stopped', usd_per_hour: 0, session_usd: 0, uptime_s: null });
  const before = (await costOf('vm-dev-01')).cost;
  // A start is billed for a minute at least.
  expect(before?.total_usd).toBeGreaterThanOrEqual(0.0104 / 60 - 1e-6);
  expect(before?.session_text).toBe('It does not run.');
  await system.db.query("update members set observed_at = observed_at - interval '1 day'");
  expect((await costOf('vm-dev-01')).cost?.total_usd).toBe(before?.total_usd);
}, 90_000);

test('the same few queries for four members and for four hundred', async () => {
  const postgres = openPostgres(system.databaseUrl);
  let asked = 0;
  const db = new Proxy(postgres.db, {
    get: (target, name) => {
      if (name === 'select' || name === 'execute') asked += 1;
      return Reflect.get(target, name);
    },
  });
  const policy = {
    prices: undefined,
    budgets: { member: { per: 'day', warnUsd: 1, stopUsd: 2 }, tenant: null },
  } as const;
  const queries = async () => {
    asked = 0;
    const { rows } = await getFleet({ postgres: { ...postgres, db }, policy }, 'default', { limit: 1_000 });
    return [rows.length, asked];
  };
  try {
    const [few = 0, fewQueries = 0] = await queries();
    await system.db.query(`
      insert into members (id, tenant, name_key, target, settings, registered_by, registered_at, updated_at)
      select gen_random_uuid(), tenant, 'copy-' || number, 'us-east-1/copy-' || number, settings, 'test', now(), now()
      from members, generate_series(1, 396) number where name_key = 'vm-prod-01'`);
    const [many = 0, manyQueries = 0] = await queries();
    expect([few, many]).toEqual([4, 400]);
    expect(manyQueries).toBe(fewQueries);
    expect(fewQueries).toBeGreaterThan(0);
    expect(fewQueries).toBeLessThanOrEqual(5);
  } finally {
    await postgres.close();
  }
});

test('of two who take one name at once, the second is told that it is taken', async () => {
  const faster = await system.db.connect();
  await faster.query("begin; update members set name_key = 'same' where name_key = 'vm-dev-01'");
  const renames = system.api.call('PATCH', '/api/v1/members/a-host', { friendly_name: 'same' });
  await until('it waits', async () => {
    const waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    return (await system.db.query(waits)).rowCount === 1;
  });
  await faster.query('commit');
  expect(await renames).toMatchObject({ status: 409, body: { code: 'member_exists' } });
  await faster.query("update members set name_key = 'vm-dev-01' where name_key = 'same'");
  faster.release();
});

test('a shorter snooze leaves a longer one as it is', async () => {
  const snooze = async (minutes: number) =>
    z
      .object({ snoozed_until: z.string() })
      .parse((await system.api.call('POST', '/api/v1/members/vm-prod-01/snooze', { minutes })).body).snoozed_until;
  const long = await snooze(60);
  expect(await snooze(1)).toBe(long);
  expect(new Date(await snooze(90)) > new Date(long)).toBe(true);
});
