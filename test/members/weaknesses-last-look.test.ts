// Weakness 6: what happens to a machine between the verdict and the stop. Stops wait for a decision here, to get in between.
import { ask, ended, register, run } from '../kit/members.ts';
import { changesOf, release, tasksOn, UNTIL_RELEASED, verdictsOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      high_risk_operations: ['stop_instance'],
      allow_unguarded: ['delete_instance', 'scale_down_cluster'],
      confirmation: { timeout_seconds: 60 },
      idle: {
        time_scale: 0.02,
        grace_minutes: 1,
        cpu_busy_percent: null,
        network_busy_bytes_per_second: null,
      },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

/** The stop that the idle policy asked for, while it waits for a decision. */
const askedStop = (name: string) =>
  until(`a stop of ${name} is asked for`, async () => {
    const tasks = await tasksOn(system, 'stop_instance', name);
    return tasks.find(({ status }) => status === 'AWAITING_CONFIRMATION')?.task_id;
  });

/** Approves a stop and waits for its end. */
async function approved(id: string) {
  expect((await system.api.confirm(id, true)).status).toBe(200);
  return ended(system, id);
}

test('6: a machine that was used since the verdict is not stopped; when it is not used any more, it is', async () => {
  const { member_id: id } = await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 1 });
  const instance = await system.cloud.idOf('vm-prod-01');
  const first = await askedStop('vm-prod-01');
  await run(system, id, 'true');
  expect(await approved(first)).toMatchObject({
    status: 'FAILED',
    reason: 'superseded',
    error: expect.stringContaining('it was used since it was found idle'),
  });
  expect(changesOf(system, 'StopInstances', instance)).toEqual([]);
  const second = await askedStop('vm-prod-01');
  expect(second).not.toBe(first);
  expect(await approved(second)).toMatchObject({ status: 'COMPLETED' });
  expect(changesOf(system, 'StopInstances', instance)).toHaveLength(1);
}, 90_000);

test('6: a machine that is held, or logged in to, at the moment of the stop is left alone', async () => {
  const held = await register(system, 'vm-prod-02', { cloud_idle_timeout_min: 1 });
  await register(system, 'vm-staging-01', { cloud_idle_timeout_min: 1 });
  const [ofHeld, ofLogin] = await Promise.all([askedStop('vm-prod-02'), askedStop('vm-staging-01')]);
  const works = await ask(system, held.member_id, 'commands', { command: UNTIL_RELEASED });
  await until('it works', async () =>
    (await verdictsOf(system, held.member_id))[0]?.reasons.includes('1 command in flight'),
  );
  await system.cloud.control('instances/vm-staging-01/login', { logins: 1 });
  const [conflict, refused] = await Promise.all([approved(ofHeld), approved(ofLogin)]);
  expect(conflict).toMatchObject({ status: 'FAILED', reason: 'conflict', error: expect.stringContaining(works) });
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'superseded', error: expect.stringContaining('1 login') });
  release(system, await system.cloud.idOf('vm-prod-02'));
  expect(await ended(system, works)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0 } });
  for (const name of ['vm-prod-02', 'vm-staging-01']) {
    expect(changesOf(system, 'StopInstances', await system.cloud.idOf(name))).toEqual([]);
  }
}, 90_000);
