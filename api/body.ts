// Reads a JSON body the way callers of the contract know it, and nothing that could not be stored or shown again.
import express from 'express';
import type { Request, RequestHandler } from 'express';
import type { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Json } from '../domain/task.ts';
import { DEEPEST_JSON, unstorable } from '../domain/text.ts';
import { issuesOf, valueAt } from '../operations/issues.ts';
import { invalid } from './errors.ts';

const BODY_LIMIT = 65_536;

/** Collects the bytes of a POST or PATCH; more than the limit is a 413 by the error handler. Other methods' are left alone. */
export const rawBody = express.raw({
  type: ({ method }) => method === 'POST' || method === 'PATCH',
  limit: BODY_LIMIT,
});

/** A client that is slower than this at sending a few kilobytes is no client, ms. */
const BODY_MS = 20_000;

/** Gives a JSON body its time; a route that takes a stream has the server's. */
export const hurry: RequestHandler = (request, _response, next) => {
  if (request.method === 'POST' || request.method === 'PATCH') {
    const timer = setTimeout(() => request.socket.destroy(), BODY_MS);
    request.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
  }
  next();
};

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/**
 * The body by a schema, with the raw value for what must be passed on untouched. Throws `MalformedBody` for what is no
 * text or nested too deep, and `InvalidRequest` with the contract's entries for everything else.
 */
export function readBody<T>(request: Request, schema: z.ZodType<T>): { readonly body: T; readonly raw: Json } {
  const bytes: unknown = request.body;
  const text = decode(bytes instanceof Uint8Array ? bytes : new Uint8Array());
  if (text === '') throw invalid([{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
  if (!JSON_TYPE.test(request.get('content-type') ?? '')) throw notAnObject(text);
  const raw = parse(text);
  const flaw = unstorable(raw);
  if (flaw && flaw.path.length > DEEPEST_JSON) throw new Failure('MalformedBody');
  if (flaw) {
    const worded =
      typeof valueAt(raw, flaw.path) === 'number'
        ? { type: 'finite_number', msg: 'Input should be a finite number' }
        : { type: 'string_unicode', msg: `Input should be text that can be stored: it ${flaw.why}` };
    throw invalid([{ ...worded, loc: ['body', ...flaw.path], input: null }]);
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw notAnObject(raw);
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw invalid(issuesOf(parsed.error, ['body'], raw));
  return { body: parsed.data, raw };
}

/** The query by a schema. Throws `InvalidRequest`. */
export function readQuery<T>(request: Request, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(request.query);
  if (parsed.success) return parsed.data;
  throw invalid(issuesOf(parsed.error, ['query'], request.query));
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('MalformedBody');
  }
}

function parse(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const offset = Number(/position (\d+)/.exec(why)?.[1] ?? text.length);
    throw invalid([
      { type: 'json_invalid', loc: ['body', offset], msg: 'JSON decode error', input: {}, ctx: { error: why } },
    ]);
  }
}

function notAnObject(input: Json): Failure {
  const msg = 'Input should be a valid dictionary or object to extract fields from';
  return invalid([{ type: 'model_attributes_type', loc: ['body'], msg, input }]);
}
