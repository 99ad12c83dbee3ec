// Ready steps: what is done on a member once per boot before it counts as ready, and when each is due again.
import type { SecretRef } from './secret.ts';

export const READY_KINDS = ['exec', 'put_file', 'secret_file', 'env', 'http'] as const;

/** The step that puts the dead-man switch on a machine. */
export const GUARD_STEP = 'dead_man_switch';

/** Names of the steps that Fermata brings; a member's own ones have others. */
export const SHIPPED_STEPS: readonly string[] = [GUARD_STEP, 'agent_auth', 'vcs_token'];

/** A line of the content of an `env` step, with its name and its value; empty lines and those that begin with # are none. */
export const VARIABLE_LINE = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/;

export type ReadyStep = {
  /** Unique on the member; part of file names. */
  readonly name: string;
  readonly kind: (typeof READY_KINDS)[number];
  /** `exec`: the command · `http`: the URL, asked for from the machine. */
  readonly command?: string | undefined;
  /** `put_file`: its content · `env`: lines `NAME=value` kept for every command. */
  readonly content?: string | undefined;
  /** Where a file goes; relative to the home folder unless absolute. */
  readonly path?: string | undefined;
  /** Octal, such as `0644`; a secret file is always `0600`. */
  readonly mode?: string | undefined;
  /** `secret_file`: the value · `exec` and `env`: values by the name of the variable that gets them. */
  readonly secrets?: Readonly<Record<string, SecretRef>> | undefined;
  readonly timeoutS: number;
  readonly retries: number;
  readonly when: 'every_boot' | 'first_boot' | 'always';
  /** False: a failure makes the member degraded, not unready. */
  readonly required: boolean;
  /** A command that must exit 0 afterwards. */
  readonly verify?: string | undefined;
  /** What it brought is good for so long; it is renewed before. */
  readonly expiresInS?: number | undefined;
  /** A command that takes it back, before the member is removed, or stopped where the next boot brings it again. */
  readonly undo?: string | undefined;
};

/** What became of a ready step last. */
export type ReadyStepRun = {
  readonly name: string;
  /** Boot id of the machine when it ran. */
  readonly bootId: string;
  /** SHA-256 of the step's definition: another definition is another step. */
  readonly digest: string;
  readonly ok: boolean;
  /** ISO. */
  readonly at: string;
  /** How many times in a row it has failed, with this one. */
  readonly failures: number;
};

/** A step is renewed when this part of its time is over. */
const RENEW_AT = 0.8;

/** One that failed is tried again after this, then after twice as long each time, up to the second. */
const FIRST_AGAIN_S = 15;
const LAST_AGAIN_S = 900;

/** When a step that ran must run again, ISO; null when only a boot makes it due. */
export function renewalOf(step: ReadyStep, ran: ReadyStepRun): string | null {
  if (step.expiresInS === undefined) return null;
  const goodForS = step.expiresInS * RENEW_AT;
  const againS = Math.min(goodForS, FIRST_AGAIN_S * 2 ** Math.max(0, ran.failures - 1), LAST_AGAIN_S);
  return new Date(Date.parse(ran.at) + (ran.ok ? goodForS : againS) * 1000).toISOString();
}

/** True when a step has to run before the member counts as ready. */
export function isDue(
  step: ReadyStep,
  digest: string,
  ran: ReadyStepRun | undefined,
  bootId: string,
  now: string,
): boolean {
  if (step.when === 'always' || !ran || !ran.ok || ran.digest !== digest) return true;
  const renewal = renewalOf(step, ran);
  if (renewal !== null && renewal <= now) return true;
  return step.when === 'every_boot' && ran.bootId !== bootId;
}
