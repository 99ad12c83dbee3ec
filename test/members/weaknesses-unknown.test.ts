// Weaknesses 7 and 10: what cannot be told is not idleness, it is told to somebody, and an address that changed is found.
import { StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { register } from '../kit/members.ts';
import { changesOf, detailOf, eventsOf, tasksOn, verdictsOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      idle: {
        time_scale: 0.02,
        grace_minutes: 1,
        unknown_minutes: 3,
        cpu_busy_percent: null,
        network_busy_bytes_per_second: null,
      },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const stopped = (name: string) =>
  until(`${name} is stopped`, async () => (await system.cloud.stateOf(name)) === 'stopped', 60_000);
const inState = (name: string, state: string) =>
  until(`${name} is ${state}`, async () => (await system.cloud.stateOf(name)) === state);
const reachedBy = (name: string, mode: string) => system.cloud.control(`instances/${name}/ssh`, { mode });

/** Waits until so many looks after the alarm said that they cannot tell. */
async function heldAfterAlarm(name: string, looks: number): Promise<void> {
  const alarm = await until(
    'somebody is told',
    async () => (await eventsOf(system, name, 'idleness_unknown'))[0],
    60_000,
  );
  const since = new Date(alarm.at);
  await until('it is looked at again', async () => (await verdictsOf(system, name, since)).length >= looks, 60_000);
  for (const verdict of await verdictsOf(system, name)) {
    expect(verdict).toMatchObject({ verdict: 'unknown', next: expect.stringMatching(/^(none|alert_unknown)$/) });
  }
  expect(await eventsOf(system, name, 'idleness_unknown')).toHaveLength(1);
  expect(await tasksOn(system, 'stop_instance', name)).toEqual([]);
  expect(await system.cloud.stateOf(name)).toBe('running');
}

test('10: a machine that was started from the console is found at its new address, and idles out', async () => {
  const { host } = await register(system, 'vm-staging-01', { cloud_idle_timeout_min: 5 });
  const id = await system.cloud.idOf('vm-staging-01');
  await system.cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await inState('vm-staging-01', 'stopped');
  await system.cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  await inState('vm-staging-01', 'running');
  const address = (await system.cloud.find(id)).PublicIpAddress;
  expect(address).not.toBe(host);
  const found = await until('it is found', async () => {
    const [verdict] = await verdictsOf(system, 'vm-staging-01');
    return verdict?.verdict === 'idle' && (await detailOf(system, 'vm-staging-01')).host === address;
  });
  expect(found).toBe(true);
  await stopped('vm-staging-01');
  const [, byPolicy, ...more] = changesOf(system, 'StopInstances', id);
  expect([byPolicy?.['principal'], more]).toEqual(['sandbox', []]);
}, 90_000);

test('10: of a machine that cannot be reached somebody is told, once; it is left running, or stopped where its owner said so', async () => {
  await Promise.all([reachedBy('web-1', 'refuse'), reachedBy('web-2', 'refuse')]);
  await register(system, 'web-1', { cloud_idle_timeout_min: 1 });
  const begun = new Date();
  await register(system, 'web-2', { cloud_idle_timeout_min: 1, cloud_on_unknown: 'stop' });
  await Promise.all([heldAfterAlarm('web-1', 3), stopped('web-2')]);
  const [stop] = changesOf(system, 'StopInstances', await system.cloud.idOf('web-2'));
  const unknownAndGraceMs = (3 + 1) * 60_000 * 0.02;
  expect(Number(stop?.at) - begun.getTime()).toBeGreaterThanOrEqual(unknownAndGraceMs);
  const [warning] = await eventsOf(system, 'web-2', 'stop_warning');
  expect(warning).toMatchObject({ says: expect.stringContaining('not reachable'), detail: { cause: 'unknown' } });
  // The one that was held was watched all the time.
  await reachedBy('web-1', 'ok');
  await stopped('web-1');
}, 90_000);

test("7: an owner's command that does not answer in time, or fails, is unknown and not idle", async () => {
  await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 1, cloud_activity_command: 'sleep 60; echo idle' });
  await register(system, 'vm-prod-02', { cloud_idle_timeout_min: 1, cloud_activity_command: 'exit 1' });
  await Promise.all([heldAfterAlarm('vm-prod-01', 1), heldAfterAlarm('vm-prod-02', 1)]);
  for (const name of ['vm-prod-01', 'vm-prod-02']) {
    const [last] = await verdictsOf(system, name);
    expect(last?.reasons.join()).toContain("the member's command says neither busy nor idle");
    await system.api.call('PATCH', `/api/v1/members/${name}`, { cloud_activity_command: 'echo idle' });
  }
  await Promise.all([stopped('vm-prod-01'), stopped('vm-prod-02')]);
}, 120_000);
