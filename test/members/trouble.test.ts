// Machines that hang, fill up, freeze, take too few sessions, change their key or talk too much: each alone, never the others.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { reconcileScheduleId, sweepScheduleId } from '../../worker/schedules.ts';
import { changeHostKey, homeOf } from '../kit/hosts.ts';
import { ask, ended, member, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

/** How long a prompt may take in all. */
const PROMPT_S = 8;
/** A call by SSH that is under way at the deadline, and the one that ends what runs on the machine. */
const BEYOND_S = 32;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      idle: { time_scale: 0.02, cpu_busy_percent: null, network_busy_bytes_per_second: null },
      agents: { cat: { command: 'cat' } },
      execution: { operation_timeout_seconds: { execute_prompt: PROMPT_S } },
    },
  });
  for (const name of ['vm-prod-01', 'vm-prod-02', 'vm-staging-01', 'gpu-train-01']) {
    await register(system, name, { cloud_idle_timeout_min: 1_440 });
  }
}, 90_000);
afterAll(() => system.stop(), 30_000);

const works = async (name: string) =>
  expect(await run(system, name, 'echo works')).toMatchObject({ status: 'COMPLETED', result: { stdout: 'works\n' } });
const verdicts = z.array(z.looseObject({ verdict: z.string(), inputs: z.looseObject({}) }));
const verdictOf = async (name: string) => {
  const { body } = await system.api.call('GET', `/api/v1/members/${name}/verdicts?limit=1`);
  return verdicts.parse(body)[0];
};
const sweep = z.looseObject({ looked: z.number(), probed: z.number(), unreachable: z.number() });

const sweeps = () => system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue));

/** One sweep, at which every member is due. */
async function oneSweep() {
  const schedule = sweeps();
  await schedule.pause();
  const quiet = async () => (await schedule.describe()).info.runningActions.length === 0;
  await until('no sweep runs', quiet);
  await until('all are due', async () => {
    const { rows } = await system.db.query('select 1 from members where probe_due_at > clock_timestamp()');
    return rows.length === 0;
  });
  const begun = Date.now();
  await schedule.trigger();
  const started = await until('it is started', async () => {
    const { recentActions } = (await schedule.describe()).info;
    return recentActions.find(({ takenAt }) => takenAt.getTime() > begun - 500);
  });
  const report = sweep.parse(await system.temporal.workflow.getHandle(started.action.workflow.workflowId).result());
  const tookMs = Date.now() - begun;
  await schedule.unpause();
  return { report, tookMs };
}

test('an nvidia-smi that hangs: its machine is not known to be idle, and the sweep judges the others and ends', async () => {
  const names = ['vm-prod-01', 'vm-prod-02', 'vm-staging-01', 'gpu-train-01'];
  await system.cloud.control('instances/gpu-train-01/gpu', { mode: 'hang' });
  const { report, tookMs } = await oneSweep();
  expect(report).toMatchObject({ looked: 4, probed: 4, unreachable: 0 });
  expect(tookMs).toBeLessThan(30_000);
  const seen = await Promise.all(names.map(verdictOf));
  expect(seen.map((each) => each?.verdict)).toEqual(['idle', 'idle', 'idle', 'unknown']);
  expect(JSON.stringify(seen[3]?.inputs)).toContain('unreadable');
  await system.cloud.control('instances/gpu-train-01/gpu', { mode: 'idle' });
  await until('it is known again', async () => (await verdictOf('gpu-train-01'))?.verdict === 'idle');
}, 60_000);

test('regions that hang keep no sweep from the machines of another one', async () => {
  for (const name of ['web-1', 'web-2']) await register(system, name, { cloud_idle_timeout_min: 1_440 });
  const reconciles = system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue));
  await Promise.all([sweeps().pause(), reconciles.pause()]);
  const quiet = async () => (await sweeps().describe()).info.runningActions.length === 0;
  await until('no sweep runs', quiet);
  await system.db.query(
    `update members set settings = jsonb_set(settings, '{cloud,region}', to_jsonb('eu-west-' || place))
     from (select id as of, row_number() over () as place from members) each where of = id`,
  );
  // One after the other they would take all of a sweep.
  await system.cloud.fault({ action: 'DescribeInstances', kind: 'hang', times: 5 });
  expect((await oneSweep()).report).toMatchObject({ looked: 6, probed: 1 });
  await system.db.query(`update members set settings = jsonb_set(settings, '{cloud,region}', '"us-east-1"')`);
  await reconciles.unpause();
}, 90_000);

test('a full disk: the command is not begun, nothing is claimed, and with room again it runs', async () => {
  const home = homeOf(system, await system.cloud.idOf('vm-prod-02'));
  const mount = (...args: string[]) => spawnSync('mount', args, { stdio: 'ignore' }).status === 0;
  if (process.getuid?.() !== 0 || !mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', home)) {
    return void process.stdout.write('skipped: only root can mount a small disk\n');
  }
  try {
    const fill = join(home, 'fill');
    expect(() => writeFileSync(fill, Buffer.alloc(200_000))).toThrow('ENOSPC');
    const refused = await run(system, 'vm-prod-02', 'touch ~/ran');
    expect(refused).toMatchObject({ status: 'FAILED', reason: 'failed', result: null });
    expect(refused.error).toMatch(/^The machine could not begin the command: .*(disk is full|No space left)/);
    const runs = join(home, '.fermata', 'runs');
    expect(existsSync(runs) ? readdirSync(runs) : []).toEqual([]);
    rmSync(fill);
    await works('vm-prod-02');
    expect(existsSync(join(home, 'ran'))).toBe(false);
  } finally {
    execFileSync('umount', ['-l', home]);
  }
}, 60_000);

test('a machine that freezes: what is asked of it ends in its time, what ran there has its end, others go on', async () => {
  const home = homeOf(system, await system.cloud.idOf('vm-staging-01'));
  const earlier = await ask(system, 'vm-staging-01', 'commands', { command: 'cd; echo ran >>ran; sleep 2; echo end' });
  await until('it runs', () => existsSync(join(home, 'ran')));
  await system.cloud.control('instances/vm-staging-01/ssh', { mode: 'freeze' });
  const begun = Date.now();
  const frozen = await ask(system, 'vm-staging-01', 'prompts', { agent: 'cat', prompt: 'hello' });
  await works('vm-prod-01');
  expect(await system.api.get(frozen)).toMatchObject({ status: 'RUNNING' });
  expect(await ended(system, frozen)).toMatchObject({ status: 'FAILED', reason: 'deadline_exceeded' });
  expect(Date.now() - begun).toBeLessThan((PROMPT_S + BEYOND_S) * 1_000);
  await system.cloud.control('instances/vm-staging-01/ssh', { mode: 'ok' });
  expect(await ended(system, earlier)).toMatchObject({
    status: 'COMPLETED',
    result: { exit_code: 0, stdout: 'end\n' },
  });
  expect(readFileSync(join(home, 'ran'), 'utf8')).toBe('ran\n');
}, 90_000);

test.each([1, 2])(
  'a server that takes %i sessions a link: ten commands at once all end',
  async (sessions) => {
    await system.cloud.control('instances/vm-prod-01/ssh', { max_sessions: sessions });
    const numbers = Array.from({ length: 10 }, (_, number) => number);
    const ends = await Promise.all(numbers.map((number) => run(system, 'vm-prod-01', `echo ${number}; sleep 1`)));
    expect(ends.map(({ result }) => result?.stdout)).toEqual(numbers.map((number) => `${number}\n`));
    await system.cloud.control('instances/vm-prod-01/ssh', { max_sessions: 10 });
  },
  60_000,
);

const events = z.array(z.looseObject({ kind: z.string(), says: z.string() }));

test('a changed host key is refused and told of, and accepted when its owner says so', async () => {
  const fingerprint = await changeHostKey(system, 'vm-prod-02');
  // Without its links; what is on the disk stays.
  await system.cloud.control('instances/vm-prod-02/fail', { state: 'stopped' });
  await system.cloud.control('instances/vm-prod-02/fail', { state: 'running' });
  const refused = await run(system, 'vm-prod-02', 'touch ~/ran');
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'conflict', error: expect.stringContaining(fingerprint) });
  const seen = events.parse((await system.api.call('GET', '/api/v1/members/vm-prod-02/events')).body);
  expect(seen.filter(({ kind }) => kind === 'host_key_changed')).toEqual([
    expect.objectContaining({ says: expect.stringContaining(fingerprint) }),
  ]);
  await works('vm-prod-01');
  const changed = await system.api.call('PATCH', '/api/v1/members/vm-prod-02', { host_key: fingerprint });
  expect(member.parse(changed.body)).toMatchObject({ host_keys: [fingerprint] });
  expect(await run(system, 'vm-prod-02', 'ls ~/ran || echo clean')).toMatchObject({ result: { stdout: 'clean\n' } });
}, 60_000);

test('a machine that somebody else stopped and started is found at its new address, before any sweep', async () => {
  await sweeps().pause();
  await works('vm-prod-01');
  const before = (await system.cloud.find('vm-prod-01')).PublicIpAddress;
  await system.cloud.control('instances/vm-prod-01/fail', { state: 'stopped' });
  await system.cloud.control('instances/vm-prod-01/fail', { state: 'running' });
  expect((await system.cloud.find('vm-prod-01')).PublicIpAddress).not.toBe(before);
  await works('vm-prod-01');
  await sweeps().unpause();
}, 60_000);

test('100 MB of output: the head of it in the answer, a bounded part on the machine, and its size', async () => {
  const home = homeOf(system, await system.cloud.idOf('gpu-train-01'));
  const { status, result } = await run(system, 'gpu-train-01', "head -c 100000000 /dev/zero | tr '\\0' x");
  expect([status, String(result?.stdout).length]).toEqual(['COMPLETED', 32_768]);
  expect(result).toMatchObject({ exit_code: 0, stdout_bytes: 100_000_000, truncated: true });
  const kept = Number(execFileSync('du', ['-sk', join(home, '.fermata')], { encoding: 'utf8' }).split('\t')[0]);
  expect(kept).toBeLessThan(20_000);
}, 60_000);

test('a machine that lost all trace of a command: nobody knows, and nobody waits for it or runs it again', async () => {
  const home = homeOf(system, await system.cloud.idOf('gpu-train-01'));
  const lost = await run(system, 'gpu-train-01', 'cd; echo ran >>ran-lost; rm -rf .fermata; sleep 3');
  expect(lost).toMatchObject({ status: 'FAILED', reason: 'outcome_unknown' });
  expect(readFileSync(join(home, 'ran-lost'), 'utf8')).toBe('ran\n');
  await works('gpu-train-01');
}, 60_000);
