// Has GitHub make a short-lived token of an App: a signed claim to be the App goes there, and the token comes back.
import { createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { GithubApp, GithubGrant } from '../domain/github-app.ts';
import { repositoryOf } from '../domain/github-app.ts';

const ANSWER_MS = 10_000;
const ANSWER_BYTES = 1_048_576;
/** GitHub takes claims of up to ten minutes, and clocks differ. */
const CLAIM_BEFORE_S = 60;
const CLAIM_AFTER_S = 9 * 60;

const granted = z.object({
  token: z.string().regex(/^[\x21-\x7e]{1,1024}$/),
  repositories: z.array(z.object({ full_name: z.string() })).optional(),
});

/** What GitHub says itself may hold what was sent, so its statuses are worded here. */
const REFUSALS: Readonly<Record<number, string>> = {
  401: 'it does not know this App by this key: look at app_id, private_key and the clock of the worker',
  403: 'this installation may not have such a token; it may be suspended',
  404: 'the App has no such installation: look at installation_id',
  422: 'a repository is not among those of the installation, or the App has less than git_access asks for',
};

/**
 * A token for these repositories and no others, good for about an hour. `privateKey` is the PEM that GitHub gave for
 * the App. Throws `SecretUnavailable`, never with key, claim or token in it.
 */
export async function mintToken(grant: GithubGrant, privateKey: string): Promise<string> {
  const { app, repositories, permissions } = grant;
  const names = [...new Set(repositories.map((text) => repositoryOf(text).name))];
  const refused = (why: string) => new Failure('SecretUnavailable', { what: tokenName(app), why });
  const claim = claimOf(app, keyOf(privateKey, refused));
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await post(`${app.apiUrl}/app/installations/${app.installationId}/access_tokens`, claim, {
      repositories: names,
      permissions,
    });
  } catch (error) {
    throw refused(troubleOf(error));
  }
  const { status, text } = answer;
  if (status >= 300 && status < 400) throw refused(`GitHub answers ${status}, and no redirect is followed`);
  if (status !== 201) throw refused(`GitHub answers ${status}${REFUSALS[status] ? `: ${REFUSALS[status]}` : ''}`);
  const parsed = granted.safeParse(jsonOf(text));
  if (!parsed.success) throw refused('the answer of GitHub holds no token');
  const foreign = foreignIn(repositories, parsed.data.repositories);
  if (foreign !== undefined) throw refused(`the token of GitHub is not for ${foreign}, but for another owner's`);
  return parsed.data.token;
}

function tokenName({ appId }: GithubApp): string {
  return `token of the GitHub App ${appId}`;
}

/** Environments often hold a PEM in one line, with its line feeds written out. */
function keyOf(pem: string, refused: (why: string) => Failure): KeyObject {
  try {
    const key = createPrivateKey(pem.replaceAll('\\n', '\n'));
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // Whatever the parser says about it, it says about the key.
  }
  throw refused('private_key is no RSA key in PEM form without a passphrase');
}

/** A JSON Web Token by which whoever has the key says to be the App. */
function claimOf({ appId }: GithubApp, key: KeyObject): string {
  const nowS = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const said = [
    part({ alg: 'RS256', typ: 'JWT' }),
    part({ iat: nowS - CLAIM_BEFORE_S, exp: nowS + CLAIM_AFTER_S, iss: appId }),
  ].join('.');
  return `${said}.${sign('RSA-SHA256', Buffer.from(said), key).toString('base64url')}`;
}

/** One call, whose answer is read to its end within its time. */
async function post(url: string, claim: string, body: object): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    signal: AbortSignal.timeout(ANSWER_MS),
    headers: {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${claim}`,
      'content-type': 'application/json',
      'user-agent': 'fermata',
      'x-github-api-version': '2022-11-28',
    },
    body: JSON.stringify(body),
  });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  return { status: response.status, text: Buffer.concat(chunks).toString('utf8') };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Only names and codes: a message may hold what was sent. */
function troubleOf(error: unknown): string {
  if (fieldOf(error, 'name') === 'TimeoutError') return `GitHub does not answer in ${ANSWER_MS / 1000} s`;
  const code = fieldOf(fieldOf(error, 'cause'), 'code');
  return `GitHub cannot be reached${typeof code === 'string' ? ` (${code})` : ''}`;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** Names go there without their owners, so another owner's repository of the same name could be meant. */
function foreignIn(
  wanted: readonly string[],
  given: readonly { readonly full_name: string }[] | undefined,
): string | undefined {
  if (given === undefined) return undefined;
  const names = given.map(({ full_name }) => full_name.toLowerCase());
  return wanted.find((text) => {
    const { owner, name } = repositoryOf(text);
    return owner !== null && !names.includes(`${owner}/${name}`);
  });
}
