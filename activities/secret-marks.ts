// Marks of secrets that were sent: they tell that a reference has another value by now, and next to nothing of the value.
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { SecretRef } from '../domain/secret.ts';

type Marks = Readonly<Record<string, readonly string[]>>;

const derive = promisify<string, string, number, Buffer>(scrypt);

/** The same for everybody: a salt for each job would tell more of a value with each job that has it. */
const SALT = 'fermata secret mark 1';
/**
 * 12 bits: a change is missed once in 4,096 times, and whoever reads the rows and guesses is left with one in 4,096 of
 * all guesses. A whole digest would confirm the one.
 */
const MARK_BYTES = 2;
const MARK_DIGITS = 3;

/** Making one takes a good part of a tenth of a second, on purpose. */
const made = new Map<string, Promise<string>>();

function markOf(value: string): Promise<string> {
  const known =
    made.get(value) ?? derive(value, SALT, MARK_BYTES).then((bytes) => bytes.toString('hex').slice(0, MARK_DIGITS));
  made.set(value, known);
  return known;
}

/** These marks and those of what is sent now. What a command prints is remembered, and another value each time. */
export async function marksWith(
  marks: Marks,
  refs: Readonly<Record<string, SecretRef>>,
  sent: Readonly<Record<string, string>>,
): Promise<Marks> {
  const all = { ...marks };
  for (const [name, value] of Object.entries(sent)) {
    const ref = refs[name];
    if (ref === undefined || 'command' in ref) continue;
    all[name] = [...new Set([...(all[name] ?? []), await markOf(value)])];
  }
  return all;
}

/** True when all that was marked is among these values. */
export async function knowsMarked(marks: Marks, values: readonly string[]): Promise<boolean> {
  const sent = Object.values(marks).flat();
  if (sent.length === 0) return true;
  const known = new Set(await Promise.all(values.map(markOf)));
  return sent.every((mark) => known.has(mark));
}
