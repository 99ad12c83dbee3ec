// What shells and paths give a meaning to, in every field that reaches a machine: it does nothing but what it says.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../../config/paths.ts';
import { homeOf } from '../kit/hosts.ts';
import { ask, bodyOn, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

/** Whatever runs any part of it leaves a file `pwned` where it runs. */
const NASTY = `a'b"c $(touch pwned) \`touch pwned\`;touch pwned;&|(*?~!#$HOME \\ \${IFS}'; touch pwned; '`;

/** Of a secret nothing comes back, so that machines compare it with what they are told to expect. */
const SECRET = `the secret ${NASTY}`;

let system: System;
let home: string;
beforeAll(async () => {
  system = await startSystem({
    env: { FERMATA_SECRET_NASTY: SECRET },
    config: { agents: { cat: { command: 'cat' } } },
  });
  home = homeOf(system, await system.cloud.idOf('vm-prod-01'));
}, 60_000);
afterAll(() => system.stop(), 30_000);

const leftBehind = () => [
  ...execFileSync('find', [home, '-name', 'pwned'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== ''),
  ...[packageRoot, '/tmp', '/'].map((folder) => join(folder, 'pwned')).filter((path) => existsSync(path)),
];

const detail = z.looseObject({
  ready_runs: z.array(z.looseObject({ name: z.string(), ok: z.boolean(), output: z.string() })),
});

test('in work folders, ready steps, commands, variables, secrets, input and prompts', async () => {
  const secrets = { VALUE: { env: 'NASTY' } };
  const once = { retries: 0 };
  const { warnings } = await register(system, 'vm-prod-01', {
    work_folder: join(home, `work ${NASTY}`),
    ready_steps: [
      { ...once, name: 'exec', kind: 'exec', command: 'printf %s "$VALUE" >from-exec', secrets },
      { ...once, name: 'file', kind: 'put_file', path: `put ${NASTY}/file ${NASTY}`, content: NASTY, mode: '0600' },
      { ...once, name: 'secret', kind: 'secret_file', path: `secret ${NASTY}`, secrets },
      { ...once, name: 'variables', kind: 'env', content: `GREETING=${NASTY}`, secrets: { TOKEN: { env: 'NASTY' } } },
      { ...once, name: 'asks', kind: 'http', command: 'http://127.0.0.1:1/$(touch${IFS}pwned);touch${IFS}pwned&' },
    ],
  });
  expect(warnings).toEqual([]);
  const shown = await run(
    system,
    'vm-prod-01',
    'pwd; mkdir "$HOME/$HERE"; echo "$HERE"; echo "$GREETING"; [ "$TOKEN" = "the secret $GREETING" ] && echo same; cat',
    { env: { HERE: `here ${NASTY}` }, stdin: NASTY },
  );
  const lines = [join(home, `work ${NASTY}`), `here ${NASTY}`, NASTY, 'same', NASTY];
  expect(shown.result).toMatchObject({ exit_code: 0, stdout: lines.join('\n'), stderr: '' });
  const files =
    'pwd; cat ../put*/file*; for file in ../from-exec ../secret*; do [ "$(cat "$file")" = "$TOKEN" ]; echo $?; done';
  const there = await run(system, 'vm-prod-01', files, { run_from: join(home, `here ${NASTY}`) });
  const kept = `${join(home, `here ${NASTY}`)}\n${NASTY}0\n0\n`;
  expect(there.result).toMatchObject({ exit_code: 0, stdout: kept });
  const lineFeeds = `${NASTY}\n$(touch pwned)\n\n`;
  const exact = await run(system, 'vm-prod-01', 'printf %s "$LINES_OF_IT"', { env: { LINES_OF_IT: lineFeeds } });
  expect(exact.result).toMatchObject({ exit_code: 0, stdout: lineFeeds });
  const prompt = await ended(system, await ask(system, 'vm-prod-01', 'prompts', { agent: 'cat', prompt: NASTY }));
  expect(prompt.result).toMatchObject({ stdout: NASTY });
  const { ready_runs: runs } = detail.parse((await system.api.call('GET', '/api/v1/members/vm-prod-01')).body);
  expect(Object.fromEntries(runs.map(({ name, ok }) => [name, ok]))).toEqual({
    ...{ exec: true, file: true, secret: true, variables: true, asks: false },
  });
  expect(leftBehind()).toEqual([]);
}, 60_000);

const step = { name: 'step', kind: 'exec', command: 'true' };
const REFUSED: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['friendly_name', { friendly_name: '../../x' }],
  ['friendly_name', { friendly_name: 'a b$(touch pwned)' }],
  ['friendly_name', { friendly_name: '.' }],
  ['friendly_name', { friendly_name: '..' }],
  ['friendly_name', { friendly_name: '00000000-0000-4000-8000-00000000000A' }],
  ['username', { username: 'root;touch pwned' }],
  ['username', { username: '-oProxyCommand=touch' }],
  ['host', { host: '-oProxyCommand=touch' }],
  ['host', { host: '127.0.0.1;touch' }],
  ['key_path', { key_path: '../id_ed25519' }],
  ['work_folder', { work_folder: '../work' }],
  ['work_folder', { work_folder: '/tmp\ntouch pwned' }],
  ['jump', { jump: { host: '$(touch)', username: 'a', key_path: '/k', host_key: `SHA256:${'a'.repeat(43)}` } }],
  ['cloud_profile', { cloud_profile: '../../credentials' }],
  ['ready_steps', { ready_steps: [{ ...step, name: '../../.profile' }] }],
  ['ready_steps', { ready_steps: [{ ...step, name: 'a;b' }] }],
  ['ready_steps', { ready_steps: [{ ...step, secrets: { 'A;touch pwned': { env: 'NASTY' } } }] }],
  ['ready_steps', { ready_steps: [{ ...step, secrets: { A: { file: '../../../etc/passwd' } } }] }],
  ['ready_steps', { ready_steps: [{ ...step, secrets: { A: { command: '../touch' } } }] }],
  ['ready_steps', { ready_steps: [{ ...step, kind: 'put_file', path: 'a\nb', content: '' }] }],
  ['ready_steps', { ready_steps: [{ ...step, kind: 'put_file', path: 'a', content: '', mode: '0644;touch' }] }],
  ['ready_steps', { ready_steps: [{ ...step, kind: 'env', content: 'A=1\nexport B=2' }] }],
  ['ready_steps', { ready_steps: [{ ...step, kind: 'env', content: 'OTHER = x' }] }],
  ['ready_steps', { ready_steps: [{ ...step, kind: 'http', command: '--output=/tmp/pwned' }] }],
  ['password', { key_path: undefined, password: { file: '..%2fpasswd' } }],
];

test.each(REFUSED)('a member with such a %s is refused: %j', async (field, more) => {
  const body = bodyOn(system, 'refused', await system.cloud.idOf('vm-dev-01'), more);
  const answer = await system.api.call('POST', '/api/v1/members', body);
  expect(answer.status).toBe(422);
  const { detail: issues } = z.object({ detail: z.array(z.object({ loc: z.array(z.unknown()) })) }).parse(answer.body);
  expect(issues.map(({ loc }) => loc[1])).toContain(field);
});

test.each([
  ['../../etc/passwd', 404],
  ['%2e%2e', 404],
  ['...', 404],
  ['vm-prod-01/../../tasks', 404],
  ['vm-prod-01;touch pwned', 404],
  ['$(touch pwned)', 404],
  ["' or ''='", 404],
])('no member is %j', async (ref, status) => {
  const path = `/api/v1/members/${encodeURIComponent(ref)}`;
  const asked = [
    await system.api.call('GET', path),
    await system.api.call('GET', `${path}/events`),
    await system.api.call('POST', `${path}/commands`, { command: 'true' }),
    await system.api.call('DELETE', path),
  ];
  expect(asked.map((answer) => answer.status)).toEqual(asked.map(() => status));
});

test.each([
  [{ command: 'true', env: { 'A;touch pwned': '1' } }],
  [{ command: 'true', env: { 'A=B': '1' } }],
  [{ command: 'true', secrets: { A: { env: 'PATH$(touch pwned)' } } }],
  [{ command: 'true', secrets: { A: { file: '../config.json' } } }],
  [{ command: 'true', run_from: '/tmp\ntouch pwned' }],
  [{ command: 'true\0', run_from: '/tmp' }],
])('such a command is refused: %j', async (body) => {
  expect((await system.api.call('POST', '/api/v1/members/vm-prod-01/commands', body)).status).toBe(422);
});

test('a command in a folder that is no absolute path, or not there, does not run', async () => {
  for (const folder of ['relative', join(home, 'not', 'there')]) {
    expect(await run(system, 'vm-prod-01', 'touch ~/pwned', { run_from: folder })).toMatchObject({ status: 'FAILED' });
  }
  expect(leftBehind()).toEqual([]);
}, 30_000);
