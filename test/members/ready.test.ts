// Ready steps on a machine of the sandbox: once per boot, recorded without secrets, required or not; and the guard.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { reconcileScheduleId, sweepScheduleId } from '../../worker/schedules.ts';
import { homeOf } from '../kit/hosts.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const CANARY = 'canary-5f1c9e-value';
let system: System;
beforeAll(async () => {
  system = await startSystem({
    env: { FERMATA_SECRET_TOKEN: CANARY },
    config: {
      idle: { time_scale: 0.01, cpu_busy_percent: null, network_busy_bytes_per_second: null },
      provision: { agent_auth: { claude: { AGENT_KEY: { env: 'TOKEN' } } } },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const detail = z.looseObject({
  ready_note: z.string().nullable(),
  ready_runs: z.array(z.looseObject({ name: z.string(), ok: z.boolean(), output: z.string(), attempts: z.number() })),
});
const detailOf = async (ref: string) => detail.parse((await system.api.call('GET', `/api/v1/members/${ref}`)).body);

test('steps run once per boot, in order, and leave what they are for', async () => {
  await register(system, 'vm-dev-01', {
    llm_provider: 'claude',
    ready_steps: [
      {
        name: 'count',
        kind: 'exec',
        command: 'echo "$SECRET" >>boots; echo "with $SECRET"',
        secrets: { SECRET: { env: 'TOKEN' } },
      },
      { name: 'motd', kind: 'put_file', path: 'conf/motd', content: "it's\n", mode: '0640' },
      { name: 'netrc', kind: 'secret_file', path: '.netrc', secrets: { VALUE: { env: 'TOKEN' } } },
      { name: 'vars', kind: 'env', content: "GREETING=it's me" },
    ],
  });
  const command = 'wc -l <boots; stat -c %a .netrc conf/motd; cat conf/motd; echo "$GREETING ${#AGENT_KEY}"';
  const first = await run(system, 'vm-dev-01', command, { run_from: '/tmp/..' });
  expect(first).toMatchObject({ status: 'COMPLETED' });
  const home = await run(system, 'vm-dev-01', `cd ~; ${command}`);
  expect(home.result).toMatchObject({ stdout: `1\n600\n640\nit's\nit's me ${CANARY.length}\n`, exit_code: 0 });
  const { ready_runs: runs } = await detailOf('vm-dev-01');
  expect(runs.map(({ name, ok }) => [name, ok])).toEqual([
    ['agent_auth', true],
    ['count', true],
    ['motd', true],
    ['netrc', true],
    ['vars', true],
  ]);
  expect(runs.find(({ name }) => name === 'count')?.output).toBe('with [secret]\n');
  await ended(system, await ask(system, 'vm-dev-01', 'provision', { steps: ['count'] }));
  expect((await run(system, 'vm-dev-01', 'wc -l <~/boots')).result).toMatchObject({ stdout: '2\n' });
}, 90_000);

test('a required step that fails keeps the command from running; one that is not is a note', async () => {
  const step = { name: 'driver', kind: 'exec', command: 'echo no driver >&2; exit 7', retries: 1 };
  await register(system, 'vm-prod-02', { ready_steps: [{ ...step, required: true }] });
  const refused = await run(system, 'vm-prod-02', 'touch ~/ran');
  expect(refused).toMatchObject({ status: 'FAILED', error: expect.stringContaining('no driver') });
  await system.api.call('PATCH', '/api/v1/members/vm-prod-02', { ready_steps: [{ ...step, required: false }] });
  expect((await run(system, 'vm-prod-02', 'ls ~/ran || echo clean')).result).toMatchObject({ stdout: 'clean\n' });
  const { ready_note: note, ready_runs: runs } = await detailOf('vm-prod-02');
  expect(note).toContain('ready step driver failed');
  expect(runs).toEqual([expect.objectContaining({ name: 'driver', ok: false, attempts: 2 })]);
}, 90_000);

test('a step that is always due runs before each command', async () => {
  await register(system, 'web-1', {
    ready_steps: [{ name: 'always', kind: 'exec', when: 'always', command: 'echo ran >>~/always' }],
  });
  for (const count of [1, 2, 3]) {
    expect((await run(system, 'web-1', 'wc -l <~/always')).result).toMatchObject({ stdout: `${count}\n` });
  }
}, 60_000);

test('variables of a step that is gone are gone before the next command, and hidden in what still has them', async () => {
  const vars = {
    name: 'vars',
    kind: 'env',
    content: '# of the team\n\nGREETING=hi\n',
    secrets: { OWN: { env: 'TOKEN' } },
  };
  await register(system, 'web-2', {
    llm_provider: 'claude',
    ready_steps: [vars, { ...vars, name: 'kept', secrets: {} }],
  });
  const home = homeOf(system, await system.cloud.idOf('web-2'));
  const command = 'cd; touch runs; until [ -e go ]; do sleep 0.1; done; echo "$OWN $AGENT_KEY"';
  const id = await ask(system, 'web-2', 'commands', { command });
  await until('it runs', () => existsSync(join(home, 'runs')));
  await system.api.call('PATCH', '/api/v1/members/web-2', {
    llm_provider: 'none',
    ready_steps: [{ ...vars, name: 'kept', secrets: {} }],
  });
  // The next one has never sent any of it.
  await system.worker.kill9();
  await system.worker.start();
  writeFileSync(join(home, 'go'), '');
  expect((await ended(system, id)).result).toMatchObject({ stdout: '[secret] [secret]\n' });
  const after = await run(system, 'web-2', 'echo "$OWN $AGENT_KEY $GREETING"; ls ~/.fermata/env');
  expect(after.result).toMatchObject({ stdout: '  hi\nkept\n' });
  expect((await detailOf('web-2')).ready_runs.map(({ name }) => name)).toEqual(['kept']);
}, 60_000);

test('a machine whose controller is gone shuts itself down', async () => {
  await register(system, 'vm-staging-01', { cloud_guard_min: 5, cloud_idle_timeout_min: 1440 });
  await run(system, 'vm-staging-01', 'true');
  expect((await detailOf('vm-staging-01')).ready_runs).toEqual([
    expect.objectContaining({ name: 'dead_man_switch', ok: true }),
  ]);
  await system.worker.kill9();
  await until('it shuts itself down', async () => (await system.cloud.stateOf('vm-staging-01')) === 'stopped', 40_000);
  expect(system.cloud.effects('SandboxShutdown')).toHaveLength(1);
  expect(system.cloud.effects('StopInstances')).toEqual([]);
  await system.worker.start();
}, 90_000);

test('a switch hears of its controller while the sweep is paused, and goes with its setting and its member', async () => {
  const names = ['api-gateway-1', 'api-gateway-2', 'api-gateway-3'];
  for (const name of names) {
    await register(system, name, { cloud_guard_min: 15, cloud_idle_timeout_min: 1440 });
    await run(system, name, 'true');
  }
  const ids = await Promise.all(names.map((name) => system.cloud.idOf(name)));
  const armed = () => ids.map((id) => existsSync(join(homeOf(system, id), '.fermata', 'guard', 'pid')));
  expect(armed()).toEqual([true, true, true]);
  await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).pause();
  await system.api.call('PATCH', '/api/v1/members/api-gateway-2', { cloud_guard_min: null });
  await run(system, 'api-gateway-2', 'true');
  const { body } = await system.api.call('DELETE', '/api/v1/members/api-gateway-3?stop=false');
  const removal = String(Reflect.get(Object(body), 'task_id'));
  expect(await ended(system, removal)).toMatchObject({ status: 'COMPLETED' });
  expect(JSON.stringify((await system.api.get(removal)).plan)).toContain('shuts itself down after 15 minutes');
  const reports: unknown[] = [];
  // Longer than a switch waits, which is 9 s at this scale.
  for (const until = Date.now() + 12_000; Date.now() < until;) {
    const workflowId = `${system.taskQueue}-reconcile-${reports.length}`;
    reports.push(await system.temporal.workflow.execute('reconcile', { workflowId, taskQueue: system.taskQueue }));
  }
  expect(reports).toContainEqual(expect.objectContaining({ touched: 1 }));
  expect(armed()).toEqual([true, false, false]);
  expect((await detailOf('api-gateway-2')).ready_runs).toEqual([]);
  const shutDown = system.cloud.effects('SandboxShutdown').flatMap(({ instance_ids }) => instance_ids);
  expect(ids.filter((id) => shutDown.includes(id))).toEqual([]);
  await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).unpause();
}, 90_000);

test('a machine that runs gets its switch without any work, again after a start by hand, and only once each', async () => {
  await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).pause();
  let runs = 0;
  const armed = async () => {
    runs += 1;
    const workflowId = `${system.taskQueue}-reconcile-arms-${runs}`;
    const report: { readonly armed: number } = await system.temporal.workflow.execute('reconcile', {
      workflowId,
      taskQueue: system.taskQueue,
    });
    return report.armed;
  };
  await armed();
  await register(system, 'gpu-train-01', { cloud_guard_min: 1440, cloud_idle_timeout_min: 1440 });
  const guard = join(homeOf(system, await system.cloud.idOf('gpu-train-01')), '.fermata', 'guard', 'pid');
  expect(await armed()).toBe(1);
  // It writes its number when it is on its own.
  await until('it watches', () => existsSync(guard));
  const first = readFileSync(guard, 'utf8');
  expect((await detailOf('gpu-train-01')).ready_runs).toEqual([
    expect.objectContaining({ name: 'dead_man_switch', ok: true, attempts: 1 }),
  ]);
  expect(await armed()).toBe(0);
  const to = async (operation: string) => {
    const id = await system.api.submit(operation, { instance_id: 'gpu-train-01' });
    expect(await ended(system, id)).toMatchObject({ status: 'COMPLETED' });
  };
  await to('stop_instance');
  await to('start_instance');
  await until('it has another one', async () => (await armed()) === 1);
  await until('another one watches', () => readFileSync(guard, 'utf8') !== first);
  expect(await armed()).toBe(0);
  await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).unpause();
}, 90_000);

test('a machine that was restarted is made ready anew before the next command', async () => {
  await register(system, 'vm-prod-01', {
    ready_steps: [{ name: 'mark', kind: 'exec', command: 'echo ready >>boots' }],
  });
  const { status } = await run(system, 'vm-prod-01', 'true');
  const runs = join(homeOf(system, await system.cloud.idOf('vm-prod-01')), '.fermata', 'runs');
  const [old = ''] = readdirSync(runs);
  const end = join(runs, old, 'exit');
  expect([status, readFileSync(end, 'utf8')]).toEqual(['COMPLETED', expect.stringMatching(/^ended \d+$/m)]);
  // As if it had ended eight days ago.
  writeFileSync(
    end,
    readFileSync(end, 'utf8').replace(/^ended .*$/m, `ended ${Math.floor(Date.now() / 1000) - 691_200}`),
  );
  await ended(system, await system.api.submit('restart_instance', { instance_id: 'vm-prod-01' }));
  expect((await run(system, 'vm-prod-01', 'cat ~/boots')).result).toMatchObject({ stdout: 'ready\nready\n' });
  expect(readdirSync(runs)).not.toContain(old);
  expect(readdirSync(runs)).toHaveLength(1);
}, 60_000);
