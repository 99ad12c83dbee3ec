// Values that a member may print because ready steps brought them to it, so that they are blacked out in what comes back.
import { Failure } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import type { SecretRef } from '../domain/secret.ts';
import type { MemberRow } from '../store/members.ts';
import type { RemoteParts } from './remote-parts.ts';
import { readyStepsOf, secretContextOf } from './shipped-steps.ts';

/** The last values of each variable of each step of each member, as long as this worker lives: some are made only once. */
const brought = new Map<string, readonly string[]>();
/** A renewed token is not the only one that is good. */
const KEPT = 3;

const keyOf = (memberId: string, step: string, variable: string) => `${memberId} ${step} ${variable}`;

/** Notes what a step takes to a member, by variable. */
export function rememberSecrets(memberId: string, step: string, values: Readonly<Record<string, string>>): void {
  for (const [variable, value] of Object.entries(values)) {
    const key = keyOf(memberId, step, variable);
    const others = (brought.get(key) ?? []).filter((former) => former !== value);
    brought.set(key, [...others, value].slice(-KEPT));
  }
}

export interface SecretsThere {
  readonly values: readonly string[];
  /** False when the machine may have one that this worker does not know: then nothing it prints is fit to be kept. */
  readonly complete: boolean;
}

/**
 * What the ready steps of a member brought to it. `commands` says whether a command is run whose value this worker
 * does not remember; it may print another one each time. Minted tokens are known by their form.
 */
export async function secretsOn(
  parts: RemoteParts & { readonly policy: Policy },
  row: MemberRow,
  commands: 'run' | 'leave',
): Promise<SecretsThere> {
  const values: string[] = [];
  let complete = true;
  for (const { name, secrets = {}, minted = {} } of readyStepsOf(row.settings, parts.policy, parts.scripts.guard)) {
    for (const variable of [...Object.keys(secrets), ...Object.keys(minted)]) {
      const known = brought.get(keyOf(row.id, name, variable)) ?? [];
      values.push(...known);
      const ref = secrets[variable];
      if (ref === undefined || ('command' in ref && known.length > 0)) continue;
      const value = 'command' in ref && commands === 'leave' ? undefined : await valueOf(parts, row, ref);
      if (value === undefined) {
        complete = false;
        continue;
      }
      values.push(value);
      if ('command' in ref) rememberSecrets(row.id, name, { [variable]: value });
    }
  }
  return { values: [...new Set(values)], complete };
}

async function valueOf(parts: RemoteParts, row: MemberRow, ref: SecretRef): Promise<string | undefined> {
  try {
    return await parts.secrets.read(ref, secretContextOf(row.settings));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  }
}
