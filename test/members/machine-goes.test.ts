// Machines that go: what their ready steps brought is taken back before, and a command that was cut off does not wait on.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { homeOf } from '../kit/hosts.ts';
import { eventsOf } from '../kit/member-watch.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const CANARY = 'canary-71d0aa-value';
let system: System;
beforeAll(async () => {
  system = await startSystem({ env: { FERMATA_SECRET_TOKEN: CANARY } });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const told = (name: string, undo: string, more: object = {}) => ({
  name,
  kind: 'exec',
  command: `echo ${name} >> ~/said`,
  undo,
  ...more,
});

test('what ready steps brought is taken back before a stop, the last first, and at the removal for good', async () => {
  const instanceId = await system.cloud.make('tidied');
  const said = () =>
    readFileSync(join(homeOf(system, instanceId), 'said'), 'utf8')
      .split('\n')
      .slice(0, -1);
  const { member_id: member } = await register(system, 'tidied', {
    ready_steps: [
      told('disk', 'echo no disk >> ~/said', { when: 'first_boot' }),
      told('mount', 'echo "no mount ${#KEY}" >> ~/said', { secrets: { KEY: { env: 'TOKEN' } } }),
      told('broken', 'echo "gone wrong: $KEY"; exit 3', { secrets: { KEY: { env: 'TOKEN' } } }),
      told('login', 'echo no login >> ~/said'),
      told('never', 'echo never >> ~/said', { command: 'exit 1', retries: 0 }),
    ],
  });
  await run(system, 'tidied', 'true');
  await ended(system, await system.api.submit('stop_instance', { instance_id: instanceId }));
  const first = ['disk', 'mount', 'broken', 'login', 'no login', `no mount ${CANARY.length}`];
  expect(said()).toEqual(first);
  const [event, ...others] = await eventsOf(system, 'tidied', 'undo_failed');
  expect([event?.says, others]).toEqual([expect.stringContaining('ready step broken brought was not'), []]);
  expect(event?.says).toContain('gone wrong: [secret]');

  expect(await run(system, 'tidied', 'true')).toMatchObject({ status: 'COMPLETED' });
  const { body } = await system.api.call('DELETE', `/api/v1/members/${member}?stop=false`);
  const { task_id: removal } = z.looseObject({ task_id: z.string() }).parse(body);
  expect(await ended(system, removal)).toMatchObject({ status: 'COMPLETED' });
  const second = ['mount', 'broken', 'login', 'no login', `no mount ${CANARY.length}`, 'no disk'];
  expect(said()).toEqual([...first, ...second]);
}, 90_000);

test('a removal that stops the machine takes back what is brought only once, too', async () => {
  const instanceId = await system.cloud.make('stopped-for-good');
  const { member_id: member } = await register(system, 'stopped-for-good', {
    ready_steps: [told('disk', 'echo no disk >> ~/said', { when: 'first_boot' })],
  });
  await run(system, 'stopped-for-good', 'true');
  const { body } = await system.api.call('DELETE', `/api/v1/members/${member}?stop=true`);
  const { task_id: removal } = z.looseObject({ task_id: z.string() }).parse(body);
  expect(await ended(system, removal)).toMatchObject({ status: 'COMPLETED' });
  expect(readFileSync(join(homeOf(system, instanceId), 'said'), 'utf8')).toBe('disk\nno disk\n');
}, 90_000);

test('a stop that is cancelled while steps are taken back does not stop', async () => {
  const instanceId = await system.cloud.make('cancelled');
  await register(system, 'cancelled', { ready_steps: [told('slow', 'touch ~/undoing; sleep 6')] });
  await run(system, 'cancelled', 'true');
  const stop = await system.api.submit('stop_instance', { instance_id: instanceId });
  await until('it is taken back', () => existsSync(join(homeOf(system, instanceId), 'undoing')));
  expect((await system.api.cancel(stop)).status).toBe(200);
  expect(await ended(system, stop)).toMatchObject({ status: 'TERMINATED' });
  const stops = system.cloud.effects('StopInstances').filter((line) => line.instance_ids.includes(instanceId));
  expect(stops).toEqual([]);
}, 90_000);

test('a stop that does not come leaves its steps due again', async () => {
  const instanceId = await system.cloud.make('spared');
  await register(system, 'spared', { ready_steps: [told('login', 'rm ~/said')] });
  await run(system, 'spared', 'true');
  await system.cloud.fault({ action: 'StopInstances', kind: 'error', code: 'OperationNotPermitted', times: 1 });
  const stop = await ended(system, await system.api.submit('stop_instance', { instance_id: instanceId }));
  expect(stop).toMatchObject({ status: 'FAILED' });
  expect(existsSync(join(homeOf(system, instanceId), 'said'))).toBe(false);
  expect((await run(system, 'spared', 'cat ~/said')).result).toMatchObject({ stdout: 'login\n' });
}, 90_000);

test('a command whose machine is stopped from outside ends, and nobody claims to know how', async () => {
  const instanceId = await system.cloud.make('cut');
  await register(system, 'cut');
  const task = await ask(system, 'cut', 'commands', { command: 'touch ~/begun; sleep 600', timeout_s: 3_600 });
  await until('it runs', () => existsSync(join(homeOf(system, instanceId), 'begun')));
  await system.cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [instanceId] }));
  const cut = await ended(system, task);
  expect(cut).toMatchObject({ status: 'FAILED', reason: 'outcome_unknown' });
  expect(cut.error).toMatch(/Its machine is stopp(ing|ed)/);
}, 90_000);
