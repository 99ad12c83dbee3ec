// Cross-origin access as callers of the contract know it: any origin unless a list is configured, and a plain 'OK' to a preflight.
import cors from 'cors';
import type { RequestHandler } from 'express';
import { Failure } from '../domain/failures.ts';

const METHODS = 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT';
/** What a browser's script may read besides the safelisted headers. */
const EXPOSED = 'Location, Link, ETag, Retry-After, X-Request-Id, Idempotency-Replayed, Preference-Applied';

/** Handlers for every route; an empty list of origins allows any. */
export function corsHandlers(origins: readonly string[]): RequestHandler[] {
  const headers = cors({
    origin: origins.length === 0 ? '*' : [...origins],
    methods: METHODS,
    maxAge: 600,
    exposedHeaders: EXPOSED,
    preflightContinue: true,
  });
  const preflight: RequestHandler = (request, response, next) => {
    const origin = request.get('origin');
    if (request.method !== 'OPTIONS' || origin === undefined || !request.get('access-control-request-method')) {
      return next();
    }
    if (origins.length > 0 && !origins.includes(origin)) throw new Failure('OriginNotAllowed');
    response.status(200).type('text/plain').send('OK');
  };
  /** Headers appear only for a browser that asks from another origin. */
  const onlyWithOrigin: RequestHandler = (request, response, next) => {
    response.vary('Origin');
    if (request.get('origin') === undefined) next();
    else headers(request, response, next);
  };
  return [onlyWithOrigin, preflight];
}
