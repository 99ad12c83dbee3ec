// One wording of schema errors for every door: zod's issues as the entries that callers of the contract know.
import type { z } from 'zod';
import type { Issue } from '../domain/failures.ts';

/**
 * The entries of a 422, in the order of the schema's fields.
 *
 * @param prefix where the parsed value stands in the request, such as `['body', 'params']`
 * @param input the value that was parsed; each entry carries the part it is about
 */
export function issuesOf(error: z.ZodError, prefix: readonly (string | number)[], input: unknown): Issue[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        type: 'extra_forbidden',
        loc: [...prefix, ...path, key],
        msg: 'Extra inputs are not permitted',
        input: valueAt(input, [...path, key]),
      }));
    }
    const value = valueAt(input, path);
    const missing = value === undefined && path.length > 0;
    const parent = valueAt(input, path.slice(0, -1));
    return [
      missing
        ? { type: 'missing', loc: [...prefix, ...path], msg: 'Field required', input: parent ?? null }
        : { ...worded(issue, value), loc: [...prefix, ...path], input: value ?? null },
    ];
  });
}

function worded(issue: z.core.$ZodIssue, value: unknown): { type: string; msg: string; ctx?: Record<string, unknown> } {
  switch (issue.code) {
    case 'invalid_type':
      return typeMismatch(issue.expected, value);
    case 'too_small':
      return { type: 'too_small', msg: issue.message, ctx: { minimum: Number(issue.minimum) } };
    case 'too_big':
      return { type: 'too_big', msg: issue.message, ctx: { maximum: Number(issue.maximum) } };
    case 'invalid_value':
      return { type: 'enum', msg: `Input should be one of ${issue.values.map(String).join(', ')}` };
    case 'invalid_format':
      return { type: 'string_pattern_mismatch', msg: issue.message };
    case 'custom':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'not_multiple_of':
    case 'unrecognized_keys':
      return { type: 'value_error', msg: issue.message };
  }
}

function typeMismatch(expected: string, value: unknown): { type: string; msg: string } {
  switch (expected) {
    case 'string':
      return { type: 'string_type', msg: 'Input should be a valid string' };
    case 'boolean':
      return typeof value === 'string' || typeof value === 'number'
        ? { type: 'bool_parsing', msg: 'Input should be a valid boolean, unable to interpret input' }
        : { type: 'bool_type', msg: 'Input should be a valid boolean' };
    case 'int':
      return { type: 'int_type', msg: 'Input should be a valid integer' };
    case 'number':
      return { type: 'float_type', msg: 'Input should be a valid number' };
    case 'record':
    case 'object':
      return { type: 'dict_type', msg: 'Input should be a valid dictionary' };
    default:
      return { type: `${expected}_type`, msg: `Input should be a valid ${expected}` };
  }
}

/** The part of a value that a path leads to; undefined where it leads nowhere. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let here = value;
  for (const part of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = Reflect.get(here, part);
  }
  return here;
}
