// What a token of a GitHub App may do for one member: its repositories, and the least permissions that its access needs.
import type { MemberSettings } from './member.ts';
import type { SecretRef } from './secret.ts';

/** An installed App, as config names it. */
export type GithubApp = {
  /** Without a slash at its end. */
  readonly apiUrl: string;
  readonly appId: string;
  readonly installationId: string;
  readonly privateKey: SecretRef;
};

/** One token that is to be made. Only config leads to one: no schema of callers knows it. */
export type GithubGrant = {
  readonly app: GithubApp;
  /** As the member has them: `name`, `owner/name` or an address. */
  readonly repositories: readonly string[];
  readonly permissions: Readonly<Record<string, 'read' | 'write'>>;
};

type Access = NonNullable<MemberSettings['gitAccess']>;

const CONTENTS = { contents: 'write' } as const;
const PERMISSIONS: Readonly<Record<Access, GithubGrant['permissions']>> = {
  read: { contents: 'read' },
  push: CONTENTS,
  'push+pr': { ...CONTENTS, pull_requests: 'write' },
  issues: { contents: 'read', issues: 'write' },
  admin: { ...CONTENTS, administration: 'write' },
  full: { ...CONTENTS, pull_requests: 'write', issues: 'write', administration: 'write' },
};

/** The token that a member's access asks for. */
export function grantFor(app: GithubApp, access: Access, repositories: readonly string[]): GithubGrant {
  return { app, repositories, permissions: PERMISSIONS[access] };
}

/** Owner and name of a repository, in lower case, as GitHub compares them; null for an owner that is not said. */
export function repositoryOf(text: string): { readonly owner: string | null; readonly name: string } {
  const [name = '', owner = null] = text
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .split(/[/:]/)
    .reverse();
  return { owner, name };
}
