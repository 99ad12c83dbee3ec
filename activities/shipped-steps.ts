// All ready steps of a member: those that Fermata ships, as far as config and the member ask for them, then its own.
import { createHash } from 'node:crypto';
import type { GithubGrant } from '../domain/github-app.ts';
import { grantFor } from '../domain/github-app.ts';
import type { MemberSettings } from '../domain/member.ts';
import { canonical } from '../domain/plan.ts';
import type { Policy, VcsToken } from '../domain/policy.ts';
import type { ReadyStep } from '../domain/ready.ts';
import { GUARD_STEP } from '../domain/ready.ts';
import type { Json } from '../domain/task.ts';

/** A step to perform. Tokens that are made just before it are in shipped steps alone: a member's own have no such field. */
export type DueStep = ReadyStep & {
  /** By the name of the variable that gets it. */
  readonly minted?: Readonly<Record<string, GithubGrant>>;
};

const SHIPPED = { retries: 2, when: 'every_boot', required: false } as const;
const MINUTE_S = 60;
const SHORTEST_ROUND_S = 1;
const LONGEST_ROUND_S = 30;

/** The steps of a member in their order; `guard` is the text of `guard.sh`. */
export function readyStepsOf(settings: MemberSettings, policy: Policy, guard: string): readonly DueStep[] {
  const { cloud, llmProvider, gitAccess, gitRepos, readySteps } = settings;
  const { agentAuth, vcsToken } = policy.provision;
  const auth = Object.hasOwn(agentAuth, llmProvider) ? agentAuth[llmProvider] : undefined;
  return [
    ...(cloud && cloud.guardMin !== null ? [guardStep(cloud.guardMin * MINUTE_S * policy.idle.timeScale, guard)] : []),
    ...(auth ? [{ ...SHIPPED, name: 'agent_auth', kind: 'env' as const, secrets: auth, timeoutS: 30 }] : []),
    ...(vcsToken && gitAccess !== null && gitRepos.length > 0 ? [tokenStep(vcsToken, gitAccess, gitRepos)] : []),
    ...readySteps,
  ];
}

/** SHA-256 of a step as it is defined: another definition has never run. */
export function digestOf(step: ReadyStep): string {
  const plain: Json = JSON.parse(JSON.stringify(step));
  return createHash('sha256').update(canonical(plain)).digest('hex');
}

function guardStep(limitS: number, script: string): ReadyStep {
  const limit = Math.max(2, Math.round(limitS));
  const round = Math.min(LONGEST_ROUND_S, Math.max(SHORTEST_ROUND_S, Math.floor(limit / 4)));
  return {
    ...SHIPPED,
    name: GUARD_STEP,
    kind: 'exec',
    command: `limit_s=${limit} round_s=${round}\n${script}`,
    timeoutS: 30,
  };
}

/** Git asks the helper for each request, so that a renewed token counts at once. */
function tokenStep(
  token: VcsToken,
  access: NonNullable<MemberSettings['gitAccess']>,
  repositories: readonly string[],
): DueStep {
  const { host, expiresInS } = token;
  const helper = '!f() { echo username=x-access-token; echo "password=$(cat "$HOME/.fermata/vcs-token")"; }; f';
  return {
    ...SHIPPED,
    name: 'vcs_token',
    kind: 'exec',
    command:
      'umask 077 && mkdir -p "$HOME/.fermata" && printf %s "$VCS_TOKEN" >"$HOME/.fermata/vcs-token.part" && ' +
      'mv -f "$HOME/.fermata/vcs-token.part" "$HOME/.fermata/vcs-token" && ' +
      `git config --global 'credential.https://${host}.helper' '${helper}'`,
    ...('secret' in token
      ? { secrets: { VCS_TOKEN: token.secret } }
      : { minted: { VCS_TOKEN: grantFor(token.githubApp, access, repositories) } }),
    timeoutS: 60,
    expiresInS,
  };
}

/** What a command that mints a token is told of the member that it is for. */
export function secretContextOf({ name, gitAccess, gitRepos }: MemberSettings): Readonly<Record<string, string>> {
  return { FERMATA_MEMBER: name, FERMATA_GIT_ACCESS: gitAccess ?? '', FERMATA_GIT_REPOS: gitRepos.join(',') };
}
