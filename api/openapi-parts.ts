// What the descriptions of routes are made of: answers, refusals, bodies.
import type { ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { z } from 'zod';
import * as wire from './schemas.ts';

/** An answer. */
export const json = (description: string, schema: z.ZodType, headers: readonly string[] = []) => ({
  description,
  content: { 'application/json': { schema } },
  ...(headers.length > 0 && {
    headers: Object.fromEntries(headers.map((name) => [name, { schema: { type: 'string' as const } }])),
  }),
});
const refused = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema }, 'application/problem+json': { schema: wire.problemDetails } },
});
/** A refusal. */
export const error = (description: string) => refused(description, wire.errorResponse);
export const invalid = {
  '422': refused(
    'The request does not fit the schema, or required params are missing (then `detail` is a string)',
    wire.httpValidationError,
  ),
};
export const badBody = {
  '400': error('The body is not UTF-8 or nested too deep'),
  '413': error('The body is over 64 kB'),
};
export const unavailable = { '503': error('Temporal or PostgreSQL does not answer; see Retry-After') };
/** Any route may meet a bug; saying so keeps clients honest. */
const internal = { '500': error('A bug; the log has it under the request id') };

type Draft = Omit<ZodOpenApiOperationObject, 'responses'> & { readonly responses: ZodOpenApiResponsesObject };

/** A route, with the one answer that any of them may give. */
export function operation(tag: string, operationId: string, summary: string, draft: Draft): ZodOpenApiOperationObject {
  return { ...draft, tags: [tag], operationId, summary, responses: { ...draft.responses, ...internal } };
}

/** A JSON body. */
export const bodyOf = (schema: z.ZodType) => ({ required: true, content: { 'application/json': { schema } } });

export const prefer = {
  Prefer: z.string().optional().meta({ description: '`wait=N` waits up to N seconds, at most 30' }),
};

/** What every route that submits a task answers. */
export const accepted = json('Accepted and kept', wire.submitTaskResponse, [
  'Location',
  'Retry-After',
  'Idempotency-Replayed',
]);
