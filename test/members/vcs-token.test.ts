// A token of a GitHub App on a machine: in a file of its owner alone, known to git, renewed in time, and seen nowhere else.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Github } from '../kit/github.ts';
import { startGithub } from '../kit/github.ts';
import { homeOf } from '../kit/hosts.ts';
import { detailOf } from '../kit/member-watch.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

/** The shortest that config takes: the token is renewed when four fifths of it are over. */
const EXPIRES_S = 60;

let github: Github;
let system: System;
beforeAll(async () => {
  github = await startGithub();
  const { url: api_url, appId: app_id, installationId: installation_id } = github;
  system = await startSystem({
    env: { FERMATA_SECRET_APP_KEY: github.privateKey },
    config: {
      provision: {
        vcs_token: {
          expires_in_s: EXPIRES_S,
          github_app: { api_url, app_id, installation_id, private_key: { env: 'APP_KEY' } },
        },
      },
    },
  });
}, 60_000);
afterAll(async () => {
  await system?.stop();
  await github?.stop();
}, 30_000);

const NAME = 'vm-prod-01';
const ASK_GIT = "printf 'protocol=https\\nhost=github.com\\n\\n' | git credential fill";
/** The token itself would come back blacked out. */
const SUM_OF_PASSWORD = `${ASK_GIT} | sed -n 's/^password=//p' | tr -d '\\n' | sha256sum | cut -d ' ' -f 1`;
const sumOf = (token = 'none') => `${createHash('sha256').update(token).digest('hex')}\n`;

test('the token is on the machine for git and nobody else, and is renewed before it expires', async () => {
  const id = await system.cloud.idOf(NAME);
  await register(system, NAME, { git_access: 'push+pr', git_repos: ['acme/app', 'acme/lib'] });
  const filled = await run(system, NAME, `${ASK_GIT} | grep -v '^protocol\\|^host'`);
  const first = github.tokens[0] ?? 'none';
  expect(filled.result).toMatchObject({ exit_code: 0, stdout: 'username=x-access-token\npassword=[secret]\n' });
  expect((await run(system, NAME, SUM_OF_PASSWORD)).result).toMatchObject({ stdout: sumOf(first) });
  expect(github.calls).toEqual([
    { repositories: ['app', 'lib'], permissions: { contents: 'write', pull_requests: 'write' } },
  ]);
  const file = join(homeOf(system, id), '.fermata', 'vcs-token');
  expect(readFileSync(file, 'utf8')).toBe(first);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  // Nobody on the machine or in the API is told more than git has to know.
  expect(
    (await run(system, NAME, 'git config --global --get-all credential.https://github.com.helper')).result,
  ).toEqual(expect.objectContaining({ stdout: expect.not.stringContaining('ghs_') }));
  expect((await detailOf(system, NAME)).ready_runs).toEqual([
    expect.objectContaining({ name: 'vcs_token', ok: true, attempts: 1, output: '' }),
  ]);

  const began = Date.now();
  await until('it is renewed', () => github.tokens.length > 1, EXPIRES_S * 1000);
  expect(Date.now() - began).toBeLessThan(EXPIRES_S * 1000);
  await until('the renewed one is there', () => readFileSync(file, 'utf8') === github.tokens[1], 10_000);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await run(system, NAME, SUM_OF_PASSWORD)).result).toMatchObject({ stdout: sumOf(github.tokens[1]) });
}, 100_000);

test('other repositories are another token at once; one that GitHub refuses is a note without a secret', async () => {
  const before = github.tokens.length;
  await system.api.call('PATCH', `/api/v1/members/${NAME}`, { git_access: 'read', git_repos: ['acme/other'] });
  await ended(system, await ask(system, NAME, 'provision', { steps: ['vcs_token'] }));
  expect(github.tokens).toHaveLength(before + 1);
  expect(github.calls.at(-1)).toEqual({ repositories: ['other'], permissions: { contents: 'read' } });

  github.mode = 422;
  await ended(system, await ask(system, NAME, 'provision', { steps: ['vcs_token'] }), 60_000);
  const { ready_note: note, ready_runs: runs } = await detailOf(system, NAME);
  expect(note).toContain('ready step vcs_token failed: The token of the GitHub App 424242 cannot be read');
  expect(runs).toEqual([expect.objectContaining({ name: 'vcs_token', ok: false, attempts: 3 })]);
  const seen = ['api', 'worker-0'].map((name) => system.logs(name)).join('\n');
  const { rows } = await system.db.query(
    'select output from ready_runs union all select settings::text from members union all select result::text from tasks',
  );
  for (const secret of ['ghs_', 'PRIVATE KEY', 'Bearer ey']) expect(seen + JSON.stringify(rows)).not.toContain(secret);
}, 90_000);

test.each([
  ['commands', { command: 'true', secrets: { X: { minted: {} } } }],
  ['commands', { command: 'true', secrets: { X: { github_app: { app_id: 1 } } } }],
])('callers cannot ask for a token of the App by %s', async (route, body) => {
  expect((await system.api.call('POST', `/api/v1/members/${NAME}/${route}`, body)).status).toBe(422);
});

test.each([
  { name: 'mine', kind: 'exec', command: 'true', minted: { X: {} } },
  { name: 'mine', kind: 'exec', command: 'true', secrets: { X: { github_app: {} } } },
  { name: 'vcs_token', kind: 'exec', command: 'true' },
])('nor by a ready step of their own: %j', async (step) => {
  const answer = await system.api.call('PATCH', `/api/v1/members/${NAME}`, { ready_steps: [step] });
  expect(answer.status).toBe(422);
});
