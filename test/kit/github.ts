// A GitHub in a test: takes an App's claims on loopback, looks at them as GitHub does, and gives tokens or trouble.
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

/** How it answers; a number is a status, with a body that says back what it was sent. */
export type GithubMode = 'ok' | 'hang' | 'redirect' | 'rubbish' | 'other_owner' | number;

const asked = z.strictObject({
  repositories: z.array(z.string()),
  permissions: z.record(z.string(), z.enum(['read', 'write'])),
});
export type GithubCall = z.output<typeof asked>;

export interface Github {
  readonly url: string;
  readonly appId: string;
  readonly installationId: number;
  /** The App's private key, PEM. */
  readonly privateKey: string;
  mode: GithubMode;
  /** What tokens were asked for, and got. */
  readonly calls: readonly GithubCall[];
  readonly tokens: readonly string[];
  /** Claims that it did not believe, each with the reason. */
  readonly doubts: readonly string[];
  /** Where a redirect leads, and who followed one there. */
  readonly followed: readonly string[];
  stop(): Promise<void>;
}

const APP_ID = '424242';
const INSTALLATION_ID = 77;
const OWNER = 'acme';

/** Starts one on a free port. */
export async function startGithub(): Promise<Github> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const [calls, tokens, doubts, followed]: [GithubCall[], string[], string[], string[]] = [[], [], [], []];
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const body = await text(request);
    const sent = { headers: request.headers, body };
    if (request.url === '/elsewhere') {
      followed.push(String(request.headers.authorization));
      return reply(201, { token: 'ghs_stolen' });
    }
    if (request.method !== 'POST' || request.url !== `/app/installations/${INSTALLATION_ID}/access_tokens`) {
      return reply(404, { message: 'Not Found', sent });
    }
    const doubt = doubtOf(request.headers.authorization, createPublicKey(publicKey));
    if (doubt !== undefined) {
      doubts.push(doubt);
      return reply(401, { message: doubt, sent });
    }
    const { mode } = github;
    if (mode === 'hang') return undefined;
    if (mode === 'redirect') return response.writeHead(307, { location: '/elsewhere' }).end();
    if (mode === 'rubbish') return response.writeHead(201).end('<html>token</html>');
    if (typeof mode === 'number') return reply(mode, { message: 'no', sent });
    const call = asked.parse(JSON.parse(body));
    const token = `ghs_token-${tokens.length + 1}-${APP_ID}`;
    calls.push(call);
    tokens.push(token);
    const owner = mode === 'other_owner' ? 'somebody' : OWNER;
    const repositories = call.repositories.map((name) => ({ full_name: `${owner}/${name}` }));
    return reply(201, { token, repositories, permissions: call.permissions });
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const github: Github = {
    url: `http://127.0.0.1:${address.port}`,
    appId: APP_ID,
    installationId: INSTALLATION_ID,
    privateKey,
    mode: 'ok',
    calls,
    tokens,
    doubts,
    followed,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return github;
}

const claims = z.strictObject({ iat: z.int(), exp: z.int(), iss: z.string() });
const TEN_MINUTES_S = 600;

/** Why a claim is not believed, by GitHub's rules; undefined when it is. */
function doubtOf(authorization: string | undefined, key: KeyObject): string | undefined {
  const [, head = '', body = '', signature = ''] =
    /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization ?? '') ?? [];
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8') || 'null');
  if (JSON.stringify(read(head)) !== '{"alg":"RS256","typ":"JWT"}') return 'not a JSON Web Token by RS256';
  if (!verify('RSA-SHA256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) {
    return 'signed by another key';
  }
  const { iat, exp, iss } = claims.parse(read(body));
  const nowS = Date.now() / 1000;
  if (iss !== APP_ID) return `issued by ${iss}`;
  if (iat > nowS) return 'issued in the future';
  if (exp <= nowS) return 'expired';
  return exp - nowS > TEN_MINUTES_S ? 'good for too long' : undefined;
}
