// Values that a member may print because ready steps brought them to it, so that they are blacked out in what comes back.
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import type { SecretRef } from '../domain/secret.ts';
import type { MemberRow } from '../store/members.ts';
import { readyRunsOf } from '../store/ready-runs.ts';
import type { RemoteParts } from './remote-parts.ts';
import { readyStepsOf, secretContextOf } from './shipped-steps.ts';

interface Brought {
  readonly value: string;
  /** When this worker took it there, by its own clock, ms. */
  readonly atMs: number;
}

/** The last values of each variable of each step, by member, as long as this worker lives: some are made only once. */
const brought = new Map<string, Map<string, readonly Brought[]>>();
/** What commands print for a worker that did not take it there: hidden as well, but no proof of what is there. */
const printed = new Map<string, string>();
/** A renewed token is not the only one that is good. */
const KEPT = 3;

const keyOf = (step: string, variable: string) => `${step} ${variable}`;

/** Notes what a step takes to a member, by variable. */
export function rememberSecrets(memberId: string, step: string, values: Readonly<Record<string, string>>): void {
  const known = brought.get(memberId) ?? new Map<string, readonly Brought[]>();
  brought.set(memberId, known);
  for (const [variable, value] of Object.entries(values)) {
    const key = keyOf(step, variable);
    const others = (known.get(key) ?? []).filter((former) => former.value !== value);
    known.set(key, [...others, { value, atMs: Date.now() }].slice(-KEPT));
  }
}

export interface SecretsThere {
  readonly values: readonly string[];
  /** False when the machine may have one that this worker does not know: then nothing it prints is fit to be kept. */
  readonly complete: boolean;
  /** Whether one of them is printed by a command, which may print another value each time. */
  readonly commands: boolean;
}

/**
 * What the ready steps of a member brought to it, those that it has no longer too. `commands` says whether a command is
 * run whose value this worker does not remember; it may print another one each time. Minted tokens are known by their
 * form.
 */
export async function secretsOn(
  parts: RemoteParts & { readonly policy: Policy },
  row: MemberRow,
  commands: 'run' | 'leave',
): Promise<SecretsThere> {
  const known = brought.get(row.id);
  const values = [...(known?.values() ?? [])].flat().map(({ value }) => value);
  const former = await formerSecrets(parts, row);
  let { complete, commands: areThere } = former;
  for (const { name, secrets = {}, minted = {} } of readyStepsOf(row.settings, parts.policy, parts.scripts.guard)) {
    for (const variable of [...Object.keys(secrets), ...Object.keys(minted)]) {
      const ref = secrets[variable];
      if (ref === undefined) continue;
      if (!('command' in ref)) {
        const value = await valueOf(parts, row, ref);
        if (value === undefined) complete = false;
        else values.push(value);
        continue;
      }
      areThere = true;
      const key = keyOf(name, variable);
      if (known?.has(key)) continue;
      complete = false;
      if (commands === 'leave') continue;
      const value = printed.get(`${row.id} ${key}`) ?? (await valueOf(parts, row, ref));
      if (value === undefined) continue;
      printed.set(`${row.id} ${key}`, value);
      values.push(value);
    }
  }
  return { values: [...new Set([...values, ...former.values])], complete, commands: areThere };
}

/**
 * What steps brought as they were when they last ran: their variables are on the machine until it is made ready again.
 * As far as they can still be read, since their owner may have taken them away with the step. What a command printed is
 * known to the worker whose run that was.
 */
async function formerSecrets(parts: RemoteParts, row: MemberRow): Promise<SecretsThere> {
  const values: string[] = [];
  let [complete, commands] = [true, false];
  for (const { name, secrets, at, durationMs } of await reaching(readyRunsOf(parts.postgres.db, row.id))) {
    const during = ({ atMs }: Brought) => atMs >= at.getTime() - durationMs && atMs <= at.getTime();
    for (const [variable, ref] of Object.entries(secrets)) {
      if ('command' in ref) {
        commands = true;
        complete &&= brought.get(row.id)?.get(keyOf(name, variable))?.some(during) ?? false;
        continue;
      }
      const value = await valueOf(parts, row, ref);
      if (value !== undefined) values.push(value);
    }
  }
  return { values, complete, commands };
}

async function valueOf(parts: RemoteParts, row: MemberRow, ref: SecretRef): Promise<string | undefined> {
  try {
    return await parts.secrets.read(ref, secretContextOf(row.settings));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  }
}
