// Secrets in every way in which they can be given: no history, row, log, answer or command line ever holds one.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { homeOf } from '../kit/hosts.ts';
import { ask, bodyOn, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import type { Watch } from '../kit/traces.ts';
import { answersOf, databaseOf, filesOf, foundIn, historiesOf, watchCommandLines } from '../kit/traces.ts';
import { until } from '../kit/until.ts';

/** What must not be seen, by the way it is given. */
const CANARIES = {
  env: 'canary-of-env-7d1f4b60c2',
  file: 'canary of \'file\' "e2a9" 5f03b8',
  // What is left of it where its quotes are written in another way.
  'end of file': '5f03b8d1c7e6',
  command: 'canary/of+command=91c7d5aa04',
  auth: 'canary-of-auth-c80e3f6b17',
  token: 'canary-of-token-3b5d90e2f4',
  login: 'canary-of-login-a64f17d083',
} as const;
/** What may be seen, and is: so that looking for the others means something. */
const SEEN = { seen: 'no-canary-but-a-sparrow-0b7e44' };
const REFS = { A: { env: 'ENV' }, B: { file: 'canary.txt' }, C: { command: 'print' } } as const;

const folder = mkdtempSync(join(tmpdir(), 'fermata-canary-'));
let system: System;
let watch: Watch;
beforeAll(async () => {
  mkdirSync(join(folder, 'secrets'));
  writeFileSync(join(folder, 'secrets', 'canary.txt'), `${CANARIES.file}\n`);
  writeFileSync(join(folder, 'secrets', 'gone.txt'), 'gone-before-it-is-read');
  writeFileSync(join(folder, 'printed.txt'), CANARIES.command);
  watch = watchCommandLines({ ...CANARIES, ...SEEN });
  system = await startSystem({
    env: {
      FERMATA_SECRET_ENV: CANARIES.env,
      FERMATA_SECRET_AUTH: CANARIES.auth,
      FERMATA_SECRET_TOKEN: CANARIES.token,
      FERMATA_SECRET_LOGIN: CANARIES.login,
    },
    config: {
      logging: { level: 'TRACE' },
      idle: { time_scale: 0.02, cpu_busy_percent: null, network_busy_bytes_per_second: null },
      secrets: {
        folder: join(folder, 'secrets'),
        commands: { print: ['cat', join(folder, 'printed.txt')], mint: ['cat', '/proc/sys/kernel/random/uuid'] },
      },
      provision: {
        agent_auth: { claude: { AGENT_KEY: { env: 'AUTH' } } },
        vcs_token: { secret: { env: 'TOKEN' } },
      },
      agents: { tell: { command: 'cat; echo "$A $AGENT_KEY"' } },
    },
  });
}, 60_000);
afterAll(async () => {
  watch.end();
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

const step = (name: string, kind: string, more: Readonly<Record<string, unknown>>) => ({
  ...{ name, kind, retries: 0, ...more },
});
const STEPS = [
  step('exec', 'exec', { command: 'echo "$A $B"; echo "$C" >&2; printenv', secrets: REFS }),
  step('fails', 'exec', { command: 'echo "$A"; exit 7', secrets: REFS, verify: 'false' }),
  step('variables', 'env', { content: 'PLAIN=plain', secrets: { KEPT_A: REFS.A, KEPT_B: REFS.B, KEPT_C: REFS.C } }),
  ...Object.entries(REFS).map(([name, ref]) =>
    step(`file-${name}`, 'secret_file', { path: `kept/${name}`, secrets: { X: ref } }),
  ),
];
const FULL = {
  ready_steps: STEPS,
  llm_provider: 'claude',
  git_access: 'read',
  git_repos: ['a/b'],
  cloud_activity_command: 'cat ~/kept/*; printf idle',
};

/** No canary, and the end of the text is as it should be. */
function expectHidden(text: unknown, ends = ''): void {
  expect(foundIn(String(text), CANARIES)).toEqual([]);
  expect(String(text).endsWith(ends)).toBe(true);
}

test('what a command prints of its secrets, or of what ready steps brought, is blacked out', async () => {
  await register(system, 'gpu-train-01', FULL);
  const own = await run(system, 'gpu-train-01', `echo "$A $B"; echo "$C" >&2; echo ${SEEN.seen}`, { secrets: REFS });
  expect(own.result).toMatchObject({ stdout: `[secret] [secret]\n${SEEN.seen}\n`, stderr: '[secret]\n' });
  const kept = await run(system, 'gpu-train-01', 'printenv; cat ~/kept/* ~/.fermata/vcs-token ~/.fermata/env/*; echo');
  expectHidden(kept.result?.stdout, '\n');
  expect(kept.result?.stdout).toContain('PLAIN=plain\n');
  const agent = await ended(
    system,
    await ask(system, 'gpu-train-01', 'prompts', { agent: 'tell', prompt: 'x ', secrets: REFS }),
  );
  expect(agent.result).toMatchObject({ stdout: 'x [secret] [secret]\n' });
  const failed = await run(system, 'gpu-train-01', 'echo "$A" >&2; exit 9', { secrets: REFS });
  expect(failed.result).toMatchObject({ exit_code: 9, stderr: '[secret]\n' });
  const cut = await run(system, 'gpu-train-01', 'head -c 32756 /dev/zero | tr "\\0" .; echo "$A"', { secrets: REFS });
  expect(String(cut.result?.stdout)).toMatch(/\.\[secret\]$/);
}, 60_000);

/** What the activities of a task failed with last. */
async function pendingOf(id: string): Promise<unknown> {
  const { raw } = await system.temporal.workflow.getHandle(`task-${id}`).describe();
  return raw.pendingActivities?.map(({ lastFailure }) => lastFailure);
}

test('a worker that was killed while the command ran still knows what to black out', async () => {
  const home = homeOf(system, await system.cloud.idOf('gpu-train-01'));
  const begin = (print: string, name: string, secrets: Readonly<Record<string, unknown>>) => {
    const command = `cd; touch runs-${name}; until [ -e go ]; do sleep 0.1; done; ${print}`;
    return ask(system, 'gpu-train-01', 'commands', { command, secrets });
  };
  const { A, B } = REFS;
  const known = await begin(`: ${SEEN.seen}; echo "$A $B $KEPT_A $AGENT_KEY $KEPT_C"`, 'known', { A, B });
  // What a command printed for the worker that was killed is not what it prints for the next one.
  const minted = await begin('echo "$X"', 'minted', { X: { command: 'mint' } });
  const gone = await begin('echo "$X"; touch finished', 'gone', { X: { file: 'gone.txt' } });
  await until('they run', () => readdirSync(home).filter((name) => name.startsWith('runs-')).length === 3);
  await system.worker.kill9();
  rmSync(join(folder, 'secrets', 'gone.txt'));
  await system.worker.start();
  writeFileSync(join(home, 'go'), '');
  expect((await ended(system, known)).result).toMatchObject({ stdout: `${'[secret] '.repeat(5).trim()}\n` });
  for (const id of [minted, gone]) {
    const { status, result } = await ended(system, id);
    expect({ status, result }).toMatchObject({
      status: 'COMPLETED',
      result: { exit_code: 0, stdout: '', stderr: '', withheld: expect.stringContaining('secret') },
    });
    expect(Number(result?.stdout_bytes)).toBeGreaterThan(20);
  }
  expect(readdirSync(home)).toContain('finished');
}, 60_000);

test('a command that is looked at anew hides what it was sent, not what is made anew', async () => {
  const home = homeOf(system, await system.cloud.idOf('gpu-train-01'));
  const command = 'cd; touch looks; until [ -e look-again ]; do sleep 0.1; done; echo "it is $X"';
  const id = await ask(system, 'gpu-train-01', 'commands', { command, secrets: { X: { command: 'mint' } } });
  await until('it runs', () => readdirSync(home).includes('looks'));
  await system.cloud.control('instances/gpu-train-01/ssh', { mode: 'freeze' });
  await until('a look failed', async () => JSON.stringify(await pendingOf(id)).includes('SshUnreachable'));
  await system.cloud.control('instances/gpu-train-01/ssh', { mode: 'ok' });
  writeFileSync(join(home, 'look-again'), '');
  expect((await ended(system, id)).result).toMatchObject({ stdout: 'it is [secret]\n' });
}, 60_000);

test('a required ready step that fails, a secret that is missing, and a password that is right, wrong or gone', async () => {
  await register(system, 'vm-prod-01', { ready_steps: [{ ...STEPS[1], required: true }] });
  const refused = await run(system, 'vm-prod-01', 'true');
  expect(refused).toMatchObject({ status: 'FAILED', error: expect.stringContaining('[secret]') });
  const missing = await run(system, 'gpu-train-01', 'true', { secrets: { ...REFS, D: { env: 'NOT_THERE' } } });
  expect(missing).toMatchObject({ status: 'FAILED', error: expect.stringContaining('FERMATA_SECRET_NOT_THERE') });
  const { key_path: _, ...body } = bodyOn(system, 'vm-prod-02', await system.cloud.idOf('vm-prod-02'));
  await system.cloud.control('instances/vm-prod-02/login', { password: CANARIES.login });
  const registered = await system.api.call('POST', '/api/v1/members', { ...body, password: { env: 'LOGIN' } });
  expect(registered).toMatchObject({ status: 201, body: { warnings: [], password: { env: 'LOGIN' } } });
  expect((await run(system, 'vm-prod-02', 'echo in')).result).toMatchObject({ stdout: 'in\n' });
  await system.cloud.control('instances/vm-prod-02/login', { password: 'another' });
  await system.cloud.control('instances/vm-prod-02/fail', { state: 'stopped' });
  await system.cloud.control('instances/vm-prod-02/fail', { state: 'running' });
  expect(await run(system, 'vm-prod-02', 'true')).toMatchObject({ status: 'FAILED', reason: 'unauthorized' });
  const id = await system.cloud.idOf('vm-staging-01');
  for (const value of [CANARIES.env, { value: CANARIES.env }]) {
    const plain = await system.api.call('POST', '/api/v1/members', bodyOn(system, 'plain', id, { password: value }));
    expect(plain.status).toBe(422);
  }
}, 60_000);

const list = z.array(z.looseObject({ task_id: z.string() }));

test('no history, row, log, answer or command line has one', async () => {
  await until('the sweep asked the command of the owner', async () => {
    const { text } = await system.api.call('GET', '/api/v1/members/gpu-train-01/verdicts?limit=50');
    return text.includes('"custom"') || text.includes('custom_says');
  });
  const tasks = list.parse((await system.api.call('GET', '/api/v1/tasks?limit=100')).body);
  const members = ['gpu-train-01', 'vm-prod-01', 'vm-prod-02'].map((name) => `/api/v1/members/${name}`);
  const traces = {
    histories: await historiesOf(system),
    database: await databaseOf(system),
    files: filesOf(system),
    answers: await answersOf(system, [
      '/api/v1/tasks?limit=100',
      ...tasks.flatMap(({ task_id: id }) => [`/api/v1/tasks/${id}`, `/api/v1/tasks/${id}/events`]),
      '/api/v1/members',
      ...members.flatMap((path) => [path, `${path}/events`, `${path}/verdicts?limit=100`]),
    ]),
  };
  const held = Object.entries(traces).map(([where, text]) => [where, foundIn(text, CANARIES), foundIn(text, SEEN)]);
  expect(held).toEqual(Object.keys(traces).map((where) => [where, [], ['seen']]));
  expect(watch.end()).toEqual(['seen']);
  // Nor does the machine keep what it needed for the start of a command alone.
  const home = homeOf(system, await system.cloud.idOf('gpu-train-01'));
  const left = readdirSync(join(home, '.fermata', 'runs'), { recursive: true, encoding: 'utf8' });
  expect(left.filter((path) => /(^|\/)secret$/.test(path))).toEqual([]);
}, 60_000);
