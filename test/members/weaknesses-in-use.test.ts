// Weaknesses 1 to 4 of idle stops: work that no GPU shows, a cold start, work in flight, and a machine that was never used.
import { ask, ended, register } from '../kit/members.ts';
import { changesOf, eventsOf, release, tasksOn, UNTIL_RELEASED, verdictsOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const TIME_SCALE = 0.02;
const GRACE_MIN = 1;
const scaledMs = (minutes: number) => minutes * 60_000 * TIME_SCALE;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      idle: {
        time_scale: TIME_SCALE,
        grace_minutes: GRACE_MIN,
        cpu_busy_percent: null,
        network_busy_bytes_per_second: null,
      },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const stopped = (name: string) =>
  until(`${name} is stopped`, async () => (await system.cloud.stateOf(name)) === 'stopped', 60_000);

test('1, 3: work without GPU outlives an idle machine, by its lease and, when that is lost, by its run', async () => {
  const leased = await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 1 });
  const lost = await register(system, 'vm-prod-02', { cloud_idle_timeout_min: 1 });
  const work = { command: UNTIL_RELEASED };
  const works = await Promise.all([
    ask(system, leased.member_id, 'commands', work),
    ask(system, lost.member_id, 'commands', work),
  ]);
  await Promise.all(
    ['vm-prod-01', 'vm-prod-02'].map((name) =>
      until(`${name} works`, async () => (await verdictsOf(system, name))[0]?.reasons.includes('1 command in flight')),
    ),
  );
  await system.db.query(`delete from leases where holder = $1`, [`task-${works[1]}`]);
  const from = new Date();
  await register(system, 'vm-staging-01', { cloud_idle_timeout_min: 1 });
  await stopped('vm-staging-01');

  for (const [name, reason] of [
    ['vm-prod-01', `held by task-${works[0]}`],
    ['vm-prod-02', '1 command in flight'],
  ] as const) {
    await until(`${name} is looked at`, async () => (await verdictsOf(system, name, from)).length > 1);
    for (const verdict of await verdictsOf(system, name, from)) {
      expect(verdict).toMatchObject({ verdict: 'busy', next: 'none' });
      expect(verdict.reasons).toContain(reason);
    }
    expect(await tasksOn(system, 'stop_instance', name)).toEqual([]);
    release(system, await system.cloud.idOf(name));
  }
  for (const id of works) {
    expect(await ended(system, id)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0, stdout: 'done\n' } });
  }
  // And they were watched: without their work they are stopped as well.
  await Promise.all([stopped('vm-prod-01'), stopped('vm-prod-02')]);
}, 90_000);

test('2: a machine that was idle for hours and is started for a command is not stopped under it', async () => {
  const { member_id: id } = await register(system, 'vm-dev-01', { cloud_idle_timeout_min: 1 });
  await system.db.query(
    `update members set last_use_at = now() - interval '2 hours', registered_at = now() - interval '3 hours'
     where id = $1`,
    [id],
  );
  const works = await ask(system, id, 'commands', { command: UNTIL_RELEASED });
  const looks = 4;
  await until('it was looked at some times', async () => (await verdictsOf(system, id)).length >= looks, 60_000);
  for (const verdict of await verdictsOf(system, id)) expect(verdict).toMatchObject({ verdict: 'busy', next: 'none' });
  release(system, await system.cloud.idOf('vm-dev-01'));
  expect(await ended(system, works)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0 } });
  expect(await tasksOn(system, 'stop_instance', 'vm-dev-01')).toEqual([]);
  await stopped('vm-dev-01');
}, 90_000);

test('2, 4: a machine that nobody used yet, or that was started by hand, has all of its time first', async () => {
  const minutes = 6;
  const used = await system.cloud.idOf('web-1');
  const fresh = await system.cloud.idOf('web-2');
  await system.cloud.control('instances/web-1/fail', { state: 'stopped' });
  const { member_id: id } = await register(system, 'web-1', { cloud_idle_timeout_min: minutes });
  await system.db.query(`update members set last_use_at = now() - interval '2 hours' where id = $1`, [id]);
  // It has been running for a day.
  const registered = new Date();
  await register(system, 'web-2', { cloud_idle_timeout_min: minutes });
  const { body } = await system.api.call('POST', `/api/v1/members/${id}/start`);
  expect(body).toMatchObject({ task_id: expect.any(String) });
  await Promise.all([
    stopped('web-2'),
    until('it is stopped', () => changesOf(system, 'StopInstances', used)[0], 60_000),
  ]);
  for (const [instance, from] of [
    [used, changesOf(system, 'StartInstances', used)[0]?.at ?? new Date()],
    [fresh, registered],
  ] as const) {
    const [stop, ...more] = changesOf(system, 'StopInstances', instance);
    expect(more).toEqual([]);
    expect(Number(stop?.at) - from.getTime()).toBeGreaterThanOrEqual(scaledMs(minutes + GRACE_MIN));
  }
  const [warning, ...again] = await eventsOf(system, 'web-2', 'stop_warning');
  expect(again).toEqual([]);
  expect(Date.parse(warning?.at ?? '') - registered.getTime()).toBeGreaterThanOrEqual(scaledMs(minutes));
}, 90_000);
