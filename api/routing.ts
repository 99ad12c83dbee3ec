// Routes as a table of path and methods, so that a wrong method is a 405 that names the right ones.
import type { Express, Request, RequestHandler, Response } from 'express';
import { Failure } from '../domain/failures.ts';
import { hurry, rawBody } from './body.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
export type Handler = (request: Request, response: Response) => Promise<void> | void;
export type Methods = Readonly<Partial<Record<Method, Handler>>>;

/** Path in OpenAPI's form, such as `/api/v1/tasks/{task_id}`; a last `{+path}` takes slashes, plain or encoded. */
export type Routes = Readonly<Record<string, Methods>>;

/** Puts the routes on the app: other methods, HEAD and OPTIONS too, are refused; a trailing slash is redirected. */
export function addRoutes(app: Express, routes: Routes): void {
  for (const [path, methods] of Object.entries(routes)) {
    const pattern = path.replace(/\{(\w+)\}/g, ':$1').replace(/\{\+(\w+)\}$/, '*$1');
    app.all(pattern, admit(methods, pattern.includes('*')), hurry, rawBody, dispatch(methods));
  }
  app.use(redirectSlash(Object.keys(routes)));
  app.use(() => {
    throw new Failure('RouteNotFound');
  });
}

/** Refuses by path and method alone, before a body is read. */
function admit(methods: Methods, takesSlashes: boolean): RequestHandler {
  return (request, response, next) => {
    // Express would take an encoded slash for part of the parameter; the contract has no such path.
    if (!takesSlashes && /%2f/i.test(request.path)) throw new Failure('RouteNotFound');
    if (!Object.hasOwn(methods, request.method)) {
      response.set('Allow', Object.keys(methods).join(', '));
      throw new Failure('MethodNotAllowed');
    }
    next();
  };
}

function dispatch(methods: Methods): RequestHandler {
  const handlers = new Map<string, Handler>(Object.entries(methods));
  return async (request, response) => handlers.get(request.method)?.(request, response);
}

function redirectSlash(paths: readonly string[]): RequestHandler {
  const patterns = paths.map((path) => new RegExp(`^${path.replace(/\{\+?\w+\}/g, '[^/]+')}/$`));
  return (request, response, next) => {
    if (!patterns.some((pattern) => pattern.test(request.path))) return next();
    const query = request.originalUrl.slice(request.path.length);
    response.redirect(307, `${request.protocol}://${request.get('host') ?? ''}${request.path.slice(0, -1)}${query}`);
  };
}

/** A path parameter; one with slashes as the path that it is. */
export function paramOf(request: Request, name: string): string {
  const value = request.params[name];
  return Array.isArray(value) ? value.join('/') : (value ?? '');
}
