// Where the token for git comes from: a secret or a GitHub App, exactly one of the two, or a sentence says why not.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, loadConfig } from '../../config/load.ts';
import { assetPath } from '../../config/paths.ts';
import { policyOf } from '../../config/policy.ts';

const folder = mkdtempSync(join(tmpdir(), 'fermata-vcs-token-'));
const file = join(folder, 'config.json');
afterAll(() => rmSync(folder, { recursive: true }));

const shipped = z.record(z.string(), z.json()).parse(JSON.parse(readFileSync(assetPath('config.json'), 'utf8')));
const tokenOf = (vcs_token: unknown) => {
  writeFileSync(file, JSON.stringify({ ...shipped, provision: { vcs_token } }));
  return policyOf(loadConfig(file)).provision.vcsToken;
};
const app = { app_id: 4242, installation_id: 77, private_key: { file: 'app.pem' } };

test('neither is asked for as shipped', () => {
  expect(policyOf(loadConfig(assetPath('config.json'))).provision.vcsToken).toBeNull();
});

test('a secret', () => {
  const secret = { command: 'mint' };
  expect(tokenOf({ secret, expires_in_s: 60 })).toEqual({ host: 'github.com', secret, expiresInS: 60 });
});

test('a GitHub App, on GitHub or on a server of its own', () => {
  expect(tokenOf({ github_app: app })).toEqual({
    host: 'github.com',
    expiresInS: 3_300,
    githubApp: {
      apiUrl: 'https://api.github.com',
      appId: '4242',
      installationId: '77',
      privateKey: { file: 'app.pem' },
    },
  });
  const api_url = 'https://git.example.com/api/v3/';
  expect(
    tokenOf({ host: 'git.example.com', github_app: { ...app, app_id: 'Iv1.8a61f9b3a7aba766', api_url } }),
  ).toMatchObject({ githubApp: { apiUrl: 'https://git.example.com/api/v3', appId: 'Iv1.8a61f9b3a7aba766' } });
});

test.each<[string, object, string]>([
  ['both', { secret: { env: 'A' }, github_app: app }, 'give secret (where the token is) or github_app'],
  ['neither', { host: 'github.com' }, 'give secret (where the token is) or github_app'],
  ['a token that outlives itself', { github_app: app, expires_in_s: 3_601 }, 'expires_in_s must be at most 3600'],
  ['a key in the file itself', { github_app: { ...app, private_key: '-----BEGIN' } }, 'private_key'],
  ['no installation', { github_app: { ...app, installation_id: undefined } }, 'installation_id'],
  ['in the clear', { github_app: { ...app, api_url: 'http://git.example.com' } }, 'it must be an https:// address'],
  ['a query', { github_app: { ...app, api_url: 'https://git.example.com/?a=b' } }, 'it must be an https:// address'],
  ['no address', { github_app: { ...app, api_url: 'git.example.com' } }, 'it must be an https:// address'],
  ['an unknown key', { github_app: { ...app, pem: 'x' } }, 'Unknown key'],
])('%s is refused', (_, token, says) => {
  expect(() => tokenOf(token)).toThrow(ConfigError);
  expect(() => tokenOf(token)).toThrow(says);
});
