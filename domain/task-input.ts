// Reads the input of a task, which anybody can hand in from the command line of Temporal.
import { Failure } from './failures.ts';
import type { Json, JsonObject, TaskInput } from './task.ts';
import { isTime, unstorable } from './text.ts';

/** Names are indexed, and an index refuses long ones. */
const LONGEST_NAME = 255;
const OPTIONAL_TEXTS = ['tenant', 'requestedBy', 'submittedAt', 'fingerprint', 'onBehalfOf'] as const;

/** The input with every field checked. Throws `InvalidRequest` that names the field. */
export function parseTaskInput(raw: unknown): TaskInput {
  if (!isObject(raw)) throw bad('the input must be an object like {"operation", "resource", "params"}');
  const flaw = unstorable(raw);
  if (flaw) throw bad(`${['input', ...flaw.path].join('.')} ${flaw.why}`);
  const { operation, resource, params = {}, risk, withoutSearchAttributes, withoutWaiting } = raw;
  if (typeof operation !== 'string') throw bad('"operation" must be a string');
  if (typeof resource !== 'string') throw bad('"resource" must be a string');
  if (!isObject(params)) throw bad('"params" must be an object');
  if (risk !== undefined && risk !== 'safe' && risk !== 'high') throw bad('"risk" must be "safe" or "high"');
  const texts: Partial<Record<(typeof OPTIONAL_TEXTS)[number], string>> = {};
  for (const key of OPTIONAL_TEXTS) {
    const value = raw[key];
    if (value === undefined) continue;
    if (typeof value !== 'string' || value === '') throw bad(`"${key}" must be a non-empty string`);
    if (value.length > LONGEST_NAME) throw bad(`"${key}" must be at most ${LONGEST_NAME} characters`);
    texts[key] = value;
  }
  if (texts.submittedAt !== undefined && !isTime(texts.submittedAt)) {
    throw bad('"submittedAt" must be an ISO time');
  }
  return {
    operation,
    resource,
    params,
    ...texts,
    ...(risk !== undefined && { risk }),
    ...(withoutSearchAttributes === true && { withoutSearchAttributes }),
    ...(withoutWaiting === true && { withoutWaiting }),
  };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && isJson(value);
}

/** What comes out of a JSON payload is JSON; this only tells the compiler so. */
function isJson(value: unknown): value is Json {
  return value !== undefined;
}

function bad(why: string): Failure {
  return new Failure('InvalidRequest', { why });
}
