// Every error as an answer: the table's status and code, the contract's `detail`, or RFC 9457 for those who ask for it.
import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Request, Response } from 'express';
import { Failure, failureRow } from '../domain/failures.ts';
import type { Issue } from '../domain/failures.ts';

/** The id of a request: the caller's own when it is harmless, so that it can be followed through logs. */
export function requestIdOf(request: Request): string {
  const given = request.get('x-request-id');
  return given !== undefined && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
}

/** A 422 with the array of what is wrong. */
export function invalid(issues: readonly Issue[]): Failure {
  return new Failure(
    'InvalidRequest',
    { why: issues.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('; ') },
    issues,
  );
}

/** Answers with a failure. */
function sendFailure(response: Response, failure: Failure): void {
  const { status, code } = failureRow(failure.type);
  const requestId = String(response.locals.requestId ?? '');
  if (status === 503) response.set('Retry-After', '2');
  response.status(status);
  if (response.req.accepts(['application/json', 'application/problem+json']) === 'application/problem+json') {
    const problem = {
      type: `urn:fermata:error:${code}`,
      title: failure.type,
      status,
      detail: failure.message,
      instance: `urn:fermata:request:${requestId}`,
      code,
      request_id: requestId,
      ...(failure.issues && { errors: failure.issues }),
    };
    response.type('application/problem+json').send(JSON.stringify(problem));
    return;
  }
  response.json({ detail: failure.issues ?? failure.message, code, request_id: requestId });
}

/** The last handler: what is not a failure of the table is a bug, said as 500 and logged with its stack. */
export const errorHandler: ErrorRequestHandler = (error: unknown, request, response, next) => {
  if (response.headersSent) return next(error);
  const failure = asFailure(error);
  if (failure.type === 'Internal') request.log.error({ err: error }, 'unhandled error');
  sendFailure(response, failure);
};

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  // Express and its body parser mark what the client did wrong with a status.
  const status: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined;
  if (status === 413) return new Failure('BodyTooLarge', { limit: 65_536 });
  if (error instanceof URIError) return new Failure('RouteNotFound');
  if (typeof status === 'number' && status >= 400 && status < 500) return new Failure('MalformedBody');
  return new Failure('Internal');
}
