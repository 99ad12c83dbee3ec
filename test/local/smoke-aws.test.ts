// `npm run smoke:aws` as a process against a whole system: every step passes, and what is in the way is said in words.
import { execFileSync, spawn } from 'node:child_process';
import { z } from 'zod';
import { register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { follow } from './clone.ts';

const ssh = z.object({ username: z.string(), key_path: z.string(), port: z.number() });
let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: { idle: { time_scale: 0.05, cpu_busy_percent: null, network_busy_bytes_per_second: null } },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

function smoke(instance: string, ...more: readonly string[]) {
  const { username, key_path, port } = ssh.parse(system.cloud.process.ready.ssh);
  const args = ['--key', key_path, '--user', username, '--port', String(port), '--region', 'us-east-1', ...more];
  const env = { ...process.env, NODE_OPTIONS: '', API_URL: system.api.url };
  return follow(
    spawn(process.execPath, ['local/smoke-aws.mjs', instance, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

test('every step passes, and the instance is left stopped without a member', async () => {
  const id = await system.cloud.idOf('vm-prod-01');
  const { ended, output } = smoke(id);
  expect([await ended, output()]).toEqual([0, expect.stringContaining('Every step passed.')]);
  const passed = [...output().matchAll(/^✓ ([a-z]+(?: [a-z]+)?) {2,}/gm)].map(([, name]) => name);
  expect(passed).toEqual(['register', 'stop', 'command', 'output', 'provision', 'snooze', 'idle stop', 'remove']);
  expect(output()).toContain(`${id}: stopped; it was running before`);
  expect(await system.cloud.stateOf(id)).toBe('stopped');
  expect(system.cloud.effects('StartInstances', 'StopInstances').map(({ action }) => action)).toEqual([
    'StopInstances',
    'StartInstances',
    'StopInstances',
  ]);
  expect((await system.api.call('GET', `/api/v1/members/smoke-${id}`)).status).toBe(404);
}, 120_000);

test('an instance that is a member already is refused, and nothing is touched', async () => {
  const { friendly_name: name } = await register(system, 'vm-prod-02');
  const { ended, output } = smoke(await system.cloud.idOf('vm-prod-02'));
  expect(await ended).toBe(1);
  expect(output()).toContain('register');
  expect(output()).toContain(name);
  expect(output()).toContain('Left behind: nothing');
  expect(await system.cloud.stateOf('vm-prod-02')).toBe('running');
}, 60_000);

test('Ctrl-C ends it, and it says what is left and how to be rid of it', async () => {
  const id = await system.cloud.idOf('vm-staging-01');
  const { child, ended, output, says } = smoke(id);
  await says('✓ snooze');
  child.kill('SIGINT');
  expect(await ended).toBe(1);
  expect(output()).toContain(`curl -X DELETE '${system.api.url}/api/v1/members/smoke-${id}?stop=true'`);
  const again = smoke(id);
  expect([await again.ended, again.output()]).toEqual([1, expect.stringContaining(`There is a member smoke-${id}`)]);
}, 60_000);

test('the help says what it does to the instance', () => {
  const help = execFileSync(process.execPath, ['local/smoke-aws.mjs', '--help'], { encoding: 'utf8' });
  for (const words of ['STOPPED and started', '--key PATH', 'idle stop', 'Exit code']) expect(help).toContain(words);
});
