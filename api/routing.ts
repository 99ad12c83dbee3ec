// Routes as a table of path and methods, so that a wrong method is a 405 that names the right ones.
import type { Express, Request, RequestHandler, Response } from 'express';
import { Failure } from '../domain/failures.ts';

export type Method = 'GET' | 'POST' | 'DELETE';
export type Handler = (request: Request, response: Response) => Promise<void> | void;
export type Methods = Readonly<Partial<Record<Method, Handler>>>;

/** Path in OpenAPI's form, such as `/api/v1/tasks/{task_id}`. */
export type Routes = Readonly<Record<string, Methods>>;

/** Puts the routes on the app: other methods, HEAD and OPTIONS too, are refused; a trailing slash is redirected. */
export function addRoutes(app: Express, routes: Routes): void {
  app.set('strict routing', true);
  for (const [path, methods] of Object.entries(routes)) {
    app.all(path.replace(/\{(\w+)\}/g, ':$1'), dispatch(methods));
  }
  app.use(redirectSlash(Object.keys(routes)));
  app.use(() => {
    throw new Failure('RouteNotFound');
  });
}

function dispatch(methods: Methods): RequestHandler {
  const handlers = new Map<string, Handler>(Object.entries(methods));
  return async (request, response) => {
    const handler = handlers.get(request.method);
    if (!handler) {
      response.set('Allow', [...handlers.keys()].join(', '));
      throw new Failure('MethodNotAllowed');
    }
    // Express would take an encoded slash for part of the parameter; the contract has no such path.
    if (/%2f/i.test(request.path)) throw new Failure('RouteNotFound');
    await handler(request, response);
  };
}

function redirectSlash(paths: readonly string[]): RequestHandler {
  const patterns = paths.map((path) => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}/$`));
  return (request, response, next) => {
    if (!patterns.some((pattern) => pattern.test(request.path))) return next();
    const query = request.originalUrl.slice(request.path.length);
    response.redirect(307, `${request.protocol}://${request.get('host') ?? ''}${request.path.slice(0, -1)}${query}`);
  };
}

/** A path parameter. */
export function paramOf(request: Request, name: string): string {
  const value = request.params[name];
  return typeof value === 'string' ? value : '';
}
