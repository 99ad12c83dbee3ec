// Tokens of a GitHub App: the claim is one that GitHub believes, the token is for the member alone, and trouble tells no secret.
import { generateKeyPairSync } from 'node:crypto';
import { mintToken } from '../../clients/github-app.ts';
import { openSecrets } from '../../clients/secrets.ts';
import { Failure } from '../../domain/failures.ts';
import type { GithubGrant } from '../../domain/github-app.ts';
import { grantFor, repositoryOf } from '../../domain/github-app.ts';
import { freePort } from '../../local/ports.ts';
import type { Github, GithubMode } from '../kit/github.ts';
import { startGithub } from '../kit/github.ts';

let github: Github;
beforeAll(async () => {
  github = await startGithub();
});
beforeEach(() => {
  github.mode = 'ok';
});
afterAll(() => github.stop());

function grant(repositories: readonly string[] = ['acme/app'], apiUrl = github.url, appId = github.appId): GithubGrant {
  const installationId = String(github.installationId);
  return grantFor({ apiUrl, appId, installationId, privateKey: { env: 'KEY' } }, 'push', repositories);
}

test.each([
  ['read', { contents: 'read' }],
  ['push', { contents: 'write' }],
  ['push+pr', { contents: 'write', pull_requests: 'write' }],
  ['issues', { contents: 'read', issues: 'write' }],
  ['admin', { contents: 'write', administration: 'write' }],
  ['full', { contents: 'write', pull_requests: 'write', issues: 'write', administration: 'write' }],
] as const)('git_access %s asks for %j', (access, permissions) => {
  const app = { apiUrl: '', appId: '1', installationId: '2', privateKey: { env: 'KEY' } };
  expect(grantFor(app, access, ['a/b'])).toEqual({ app, repositories: ['a/b'], permissions });
});

test.each([
  ['app', null, 'app'],
  ['Acme/App', 'acme', 'app'],
  ['https://github.com/acme/app.git', 'acme', 'app'],
  ['git@github.com:acme/app.git', 'acme', 'app'],
  ['acme/app/', 'acme', 'app'],
  ['acme/git.github', 'acme', 'git.github'],
])('the repository %s', (text, owner, name) => {
  expect(repositoryOf(text)).toEqual({ owner, name });
});

test('a token is asked for with a claim that holds, for these repositories by name, each once', async () => {
  const repositories = ['acme/app', 'lib', 'https://github.com/acme/lib.git'];
  const token = await mintToken(grant(repositories), github.privateKey);
  expect(token).toBe(github.tokens.at(-1));
  expect(github.calls.at(-1)).toEqual({ repositories: ['app', 'lib'], permissions: { contents: 'write' } });
  expect(github.doubts).toEqual([]);
});

test('a key whose line feeds are written out, as in an environment, and a reference to it', async () => {
  const secrets = openSecrets({
    env: { KEY: github.privateKey.trim().replaceAll('\n', '\\n') },
    folder: '/none',
    commands: {},
    commandEnv: {},
  });
  expect(await secrets.mint(grant())).toBe(github.tokens.at(-1));
  await expect(secrets.mint({ ...grant(), app: { ...grant().app, privateKey: { env: 'OTHER' } } })).rejects.toThrow(
    'The secret from the environment variable FERMATA_SECRET_OTHER cannot be read by the worker: it is not set',
  );
});

/** The failure, which holds neither the claim, nor the key, nor a token. */
async function refusalOf(work: Promise<unknown>, key = github.privateKey): Promise<string> {
  const error: unknown = await work.then(
    () => 'fine',
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Failure)) throw new Error(`no failure: ${String(error)}`);
  expect(error.type).toBe('SecretUnavailable');
  const told = `${error.stack ?? ''} ${JSON.stringify(error.details)} ${String(error.cause)}`;
  expect(told).not.toMatch(/ghs_|Bearer|eyJ|PRIVATE KEY/);
  for (const line of key.split('\n').filter((one) => one.length > 8)) expect(told).not.toContain(line);
  return error.message;
}

test.each<[GithubMode, RegExp]>([
  [401, /^The token of the GitHub App 424242 cannot be read by the worker: GitHub answers 401: .*private_key/],
  [403, /GitHub answers 403: .*suspended/],
  [404, /GitHub answers 404: .*installation_id/],
  [422, /GitHub answers 422: a repository is not among those of the installation/],
  [500, /GitHub answers 500$/],
  [200, /GitHub answers 200$/],
  ['rubbish', /the answer of GitHub holds no token$/],
  ['redirect', /GitHub answers 307, and no redirect is followed$/],
  ['other_owner', /the token of GitHub is not for acme\/app, but for another owner's$/],
])('GitHub answers with %s', async (mode, says) => {
  github.mode = mode;
  expect(await refusalOf(mintToken(grant(), github.privateKey))).toMatch(says);
  expect(github.followed).toEqual([]);
});

test('GitHub does not answer', async () => {
  github.mode = 'hang';
  const began = Date.now();
  expect(await refusalOf(mintToken(grant(), github.privateKey))).toMatch(/GitHub does not answer in 10 s$/);
  expect(Date.now() - began).toBeLessThan(15_000);
});

test('GitHub is not there', async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  expect(await refusalOf(mintToken(grant(['app'], nowhere), github.privateKey))).toMatch(/\(ECONNREFUSED\)$/);
});

const rsa = { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' } } as const;
const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
const locked = { ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'x' } as const;

test.each([
  ['another key', generateKeyPairSync('rsa', { ...rsa, privateKeyEncoding: pkcs8 }).privateKey, 'GitHub answers 401'],
  ['a locked key', generateKeyPairSync('rsa', { ...rsa, privateKeyEncoding: locked }).privateKey, 'no RSA key in PEM'],
  ['an EC key', generateKeyPairSync('ed25519').privateKey.export(pkcs8).toString(), 'no RSA key in PEM'],
  ['no key', 'hunter2-is-no-key', 'no RSA key in PEM'],
])('%s', async (_, key, says) => {
  const before = github.doubts.length;
  expect(await refusalOf(mintToken(grant(), key), key)).toContain(says);
  expect(github.doubts.slice(before)).toEqual(says.startsWith('GitHub') ? ['signed by another key'] : []);
});

test('another App than the key is of', async () => {
  expect(await refusalOf(mintToken(grant(['app'], github.url, '7'), github.privateKey))).toContain('answers 401');
  expect(github.doubts.at(-1)).toBe('issued by 7');
});
