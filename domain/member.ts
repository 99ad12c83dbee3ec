// A member: a registered machine that Fermata may reach by SSH and, when it has a cloud block, start, stop and watch.
import { targetOf } from './instance.ts';
import type { ReadyStep } from './ready.ts';
import type { SecretRef } from './secret.ts';

export const GIT_ACCESS = ['read', 'push', 'push+pr', 'admin', 'issues', 'full'] as const;
export const LLM_PROVIDERS = ['claude', 'codex', 'copilot', 'agy', 'opencode', 'none'] as const;
export const ON_UNKNOWN = ['hold', 'stop'] as const;

export type CloudBlock = {
  readonly provider: 'aws';
  readonly instanceId: string;
  readonly region: string;
  /** Name of an AWS profile on the worker; null for the worker's own credentials. */
  readonly profile: string | null;
  readonly idleTimeoutMin: number;
  /** A command that prints `busy` or `idle`; anything else is unknown. */
  readonly activityCommand: string | null;
  /** Longest time it may run after a start, minutes; null for no bound. */
  readonly maxRunMin: number | null;
  /** After how many minutes without its controller the machine shuts itself down; null for never. */
  readonly guardMin: number | null;
  /** What happens when nobody can tell for too long whether it works. */
  readonly onUnknown: (typeof ON_UNKNOWN)[number];
};

/** One host in between, when the machine cannot be reached directly. */
export type JumpHost = {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly keyPath: string;
  /** `SHA256:...`: a jump host is always pinned. */
  readonly hostKey: string;
};

/** What its owner says of a member; everything else about it is observed. */
export type MemberSettings = {
  readonly name: string;
  /** Null while a cloud member's address is not known. A cloud member's is refreshed at every start. */
  readonly host: string | null;
  readonly port: number;
  readonly username: string;
  readonly auth:
    { readonly kind: 'key'; readonly path: string } | { readonly kind: 'password'; readonly password: SecretRef };
  readonly workFolder: string;
  readonly gitAccess: (typeof GIT_ACCESS)[number] | null;
  readonly gitRepos: readonly string[];
  readonly llmProvider: (typeof LLM_PROVIDERS)[number];
  readonly category: string | null;
  readonly tags: readonly string[];
  /** True makes every change on it wait for a decision. */
  readonly guarded: boolean;
  readonly address: 'public' | 'private';
  readonly jump: JumpHost | null;
  /** `console` takes host keys from the EC2 console output; `tofu` trusts the first one seen, which is recorded. */
  readonly hostKeyPolicy: 'console' | 'tofu';
  /** `SHA256:...` given by the owner; null when the policy finds it. */
  readonly hostKey: string | null;
  readonly readySteps: readonly ReadyStep[];
  readonly jobSlots: number;
  readonly cloud: CloudBlock | null;
};

/** What leases on a member are taken on: its instance, or itself when it is no cloud machine. */
export function memberTarget(memberId: string, cloud: Pick<CloudBlock, 'region' | 'instanceId'> | null): string {
  return cloud ? targetOf(cloud.region, cloud.instanceId) : `member/${memberId}`;
}

const MEMBER_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True for the form of a member's id; everything else is taken for a name. */
export function isMemberId(text: string): boolean {
  return MEMBER_ID.test(text);
}

/** Names are compared without regard to case, whatever the locale. */
export function nameKey(name: string): string {
  return name.toLowerCase();
}
