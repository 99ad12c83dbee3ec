// The secrets of a job or a command: read just before they are sent, and remembered to be hidden in what it prints.
import { Failure } from '../domain/failures.ts';
import type { SecretRef } from '../domain/secret.ts';
import type { MemberParts } from './member-access.ts';

type Refs = Readonly<Record<string, SecretRef>>;

/** What was sent, by the id of the job or run, as long as this worker lives: a command may print another value each time. */
const given = new Map<string, readonly string[]>();
/** The launches of a job of which all that they took to the machine is among that. */
const knownLaunches = new Map<string, ReadonlySet<number>>();

/** Reads them, by variable. Throws `SecretUnavailable`. */
export async function readSecrets(
  { secrets }: Pick<MemberParts, 'secrets'>,
  refs: Refs,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [name, ref] of Object.entries(refs)) values[name] = await secrets.read(ref);
  return values;
}

/** Notes what a launch takes to the machine. */
export function rememberGiven(id: string, values: readonly string[]): void {
  if (values.length > 0) given.set(id, [...new Set([...givenTo(id), ...values])]);
}

/** Notes that this worker itself began a launch, and knows everything secret that went with it. */
export function rememberLaunch(id: string, generation: number): void {
  knownLaunches.set(id, new Set([...(knownLaunches.get(id) ?? []), generation]));
}

/** True when that holds for every launch up to this one. */
export function knowsLaunches(id: string, generation: number): boolean {
  const known = knownLaunches.get(id);
  return Array.from({ length: generation }, (_, index) => index + 1).every((each) => known?.has(each));
}

/** True when one is printed by a command, which may print another value each time. */
export function isPrinted(refs: Refs): boolean {
  return Object.values(refs).some((ref) => 'command' in ref);
}

/** All that launches of it took there. */
export function givenTo(id: string): readonly string[] {
  return given.get(id) ?? [];
}

/** When it has ended and what it printed is read, nothing of it is printed any more. */
export function forgetGiven(id: string): void {
  given.delete(id);
  knownLaunches.delete(id);
}

/**
 * What was sent with it, by this worker or another; undefined when that cannot be known: one cannot be read any more,
 * or a command printed it for another worker.
 */
export async function knownToBeGiven(
  parts: Pick<MemberParts, 'secrets'>,
  id: string,
  refs: Refs,
): Promise<readonly string[] | undefined> {
  const remembered = givenTo(id);
  if (remembered.length > 0) return remembered;
  if (isPrinted(refs)) return undefined;
  try {
    return Object.values(await readSecrets(parts, refs));
  } catch (error) {
    if (error instanceof Failure && error.type === 'SecretUnavailable') return undefined;
    throw error;
  }
}
