// Weaknesses 16 to 18: a machine that is half ready, many who want it at once, and a port that is open too early.
import { ask, ended, register, run } from '../kit/members.ts';
import { changesOf, detailOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

/** A handshake with a machine that never says anything takes ten seconds to give up. */
const REACH_S = 8;
const COUNT = { name: 'count', kind: 'exec', command: 'echo ready >>boots', required: true };

let system: System;
beforeAll(async () => {
  system = await startSystem({ stateMs: 400, config: { machines: { reach_seconds: REACH_S } } });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const reachedBy = (name: string, mode: string) => system.cloud.control(`instances/${name}/ssh`, { mode });
const phaseOf = async (id: string) => (await system.api.get(id)).phase;

test('17: ten commands at once on a stopped machine are one start, and its ready steps run once', async () => {
  await register(system, 'vm-dev-01', { ready_steps: [COUNT] });
  const command = 'cat ~/boots';
  const ids = await Promise.all(Array.from({ length: 10 }, () => ask(system, 'vm-dev-01', 'commands', { command })));
  for (const id of ids) {
    expect(await ended(system, id)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0, stdout: 'ready\n' } });
  }
  expect(system.cloud.effects('StartInstances')).toHaveLength(1);
  const starts = await system.api.list('?operation=start_instance');
  expect(starts).toEqual([expect.objectContaining({ status: 'COMPLETED', requested_by: 'policy/ready' })]);
}, 90_000);

test('16: a command right after a stop starts the machine again, however fresh its readiness was', async () => {
  const instance = await system.cloud.idOf('vm-dev-01');
  expect(await run(system, 'vm-dev-01', 'true')).toMatchObject({ status: 'COMPLETED' });
  expect(await ended(system, await ask(system, 'vm-dev-01', 'stop', {}))).toMatchObject({ status: 'COMPLETED' });
  const again = await run(system, 'vm-dev-01', 'cat ~/boots');
  expect(again).toMatchObject({ status: 'COMPLETED', result: { stdout: 'ready\nready\n' } });
  expect(changesOf(system, 'StartInstances', instance)).toHaveLength(2);
}, 90_000);

test('16, 18: a running machine whose port is open and does not speak is waited for, and made ready then', async () => {
  await reachedBy('vm-prod-01', 'banner_only');
  await register(system, 'vm-prod-01', { ready_steps: [COUNT] });
  const tooEarly = await run(system, 'vm-prod-01', 'true');
  expect(tooEarly).toMatchObject({
    status: 'FAILED',
    reason: 'failed',
    error: expect.stringContaining('no SSH after'),
  });

  // The one who came first has given up, and whoever comes next meets a running machine that nobody made ready.
  await reachedBy('vm-prod-01', 'hang');
  const waits = await ask(system, 'vm-prod-01', 'commands', { command: 'cat ~/boots' });
  await until('it waits', async () => (await phaseOf(waits)) === 'getting_ready');
  await reachedBy('vm-prod-01', 'ok');
  expect(await ended(system, waits)).toMatchObject({ status: 'COMPLETED', result: { stdout: 'ready\n' } });
  expect((await detailOf(system, 'vm-prod-01')).ready_runs).toEqual([
    expect.objectContaining({ name: 'count', ok: true, attempts: 1 }),
  ]);
}, 90_000);

test('16: a worker that dies while a machine starts leaves no machine half ready', async () => {
  const instance = await system.cloud.idOf('vm-prod-02');
  await system.cloud.control('instances/vm-prod-02/fail', { state: 'stopped' });
  await register(system, 'vm-prod-02', { ready_steps: [COUNT] });
  const works = await ask(system, 'vm-prod-02', 'commands', { command: 'cat ~/boots' });
  await until('it starts', () => changesOf(system, 'StartInstances', instance).length > 0);
  await system.worker.kill9();
  await system.worker.start();
  expect(await ended(system, works)).toMatchObject({ status: 'COMPLETED', result: { stdout: 'ready\n' } });
  expect(changesOf(system, 'StartInstances', instance)).toHaveLength(1);
}, 90_000);
