// A command on a member, from HTTP through Temporal and SSH to a machine of the sandbox and back.
import { member, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop(), 30_000);

test('a running instance is registered with its address, and runs a command', async () => {
  const registered = await register(system, 'gpu-train-01');
  expect(registered.warnings).toEqual([]);
  expect(registered.state).toBe('running');
  expect(registered.host).toMatch(/^127\./);
  const task = await run(system, 'gpu-train-01', 'echo "hello $NAME"; echo oops >&2; exit 3', { env: { NAME: 'you' } });
  expect(task).toMatchObject({
    status: 'COMPLETED',
    result: { exit_code: 3, stdout: 'hello you\n', stderr: 'oops\n' },
  });
}, 90_000);

test('a stopped machine is started for a command, once, by a task of its own', async () => {
  const registered = await register(system, 'vm-dev-01');
  expect(registered.warnings?.join()).toContain('stopped');
  const task = await run(system, 'VM-dev-01', 'cat', { stdin: 'as sent\n' });
  expect(task).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0, stdout: 'as sent\n' } });
  expect(system.cloud.effects('StartInstances')).toHaveLength(1);
  const { body } = await system.api.call('GET', `/api/v1/members/${registered.member_id}`);
  expect(member.parse(body).state).toBe('running');
}, 90_000);
