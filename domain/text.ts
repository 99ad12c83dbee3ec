// Which JSON can be stored and shown: PostgreSQL has no NUL in text, and a lone surrogate is no character.
import type { Json } from './task.ts';

/** The deepest nesting that is accepted; deeper JSON is nobody's parameter. */
export const DEEPEST_JSON = 32;

/** Why a value cannot be stored, with the path to the place; undefined when it can. Never recurses deeper than allowed. */
export function unstorable(
  value: Json,
  path: readonly (string | number)[] = [],
): { readonly path: readonly (string | number)[]; readonly why: string } | undefined {
  if (path.length > DEEPEST_JSON) return { path, why: `nested deeper than ${DEEPEST_JSON} levels` };
  if (typeof value === 'string') return flaw(value, path);
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : { path, why: 'not a finite number' };
  }
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, child] of Object.entries(value)) {
    const step = Array.isArray(value) ? Number(key) : key;
    const found = (typeof step === 'string' ? flaw(step, path) : undefined) ?? unstorable(child, [...path, step]);
    if (found) return found;
  }
  return undefined;
}

/** The text without what cannot be stored, also where a cut went through a character. */
export function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

/** What is in JSON for a character that cannot be stored; a text that only speaks of one is cleaned for nothing. */
const ESCAPED_FLAW = /\\u0000|\\ud[89a-f]/;

/** JSON with every text and every key in it storable: the very same value where nothing has to go. */
export function allStorable<T>(value: T): T {
  const json = JSON.stringify(value);
  if (!ESCAPED_FLAW.test(json)) return value;
  const clean: T = JSON.parse(json, (_key, part: unknown) => {
    if (typeof part === 'string') return storable(part);
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([key, child]) => [storable(key), child]));
  });
  return clean;
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const FOUR_DIGIT_YEAR = /^[1-9]\d{3}-/;

/** True for an ISO time in the years that PostgreSQL and JavaScript write alike. */
export function isTime(value: unknown): value is string {
  if (typeof value !== 'string' || !ISO_TIME.test(value)) return false;
  const at = Date.parse(value);
  return !Number.isNaN(at) && FOUR_DIGIT_YEAR.test(new Date(at).toISOString());
}

function flaw(text: string, path: readonly (string | number)[]) {
  if (text.includes('\0')) return { path, why: 'contains a NUL character' };
  if (!text.isWellFormed()) return { path, why: 'contains a lone surrogate' };
  return undefined;
}
