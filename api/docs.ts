// The pages of the API's documentation, from files of the package: they work without the internet.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Response } from 'express';
import { assetPath } from '../config/paths.ts';
import { Failure } from '../domain/failures.ts';
import { openApiDocument } from './openapi.ts';
import type { Routes } from './routing.ts';
import { paramOf } from './routing.ts';

const TITLE = 'Cloud Ops AI Agent';
const swaggerRoot = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': join(swaggerRoot, 'swagger-ui.css'),
  'swagger-ui-bundle.js': join(swaggerRoot, 'swagger-ui-bundle.js'),
  'oauth2-redirect.html': join(swaggerRoot, 'oauth2-redirect.html'),
  'redoc.standalone.js': assetPath('api', 'docs', 'redoc.standalone.js'),
  'swagger-start.js': assetPath('api', 'docs', 'swagger-start.js'),
  'redoc-start.js': assetPath('api', 'docs', 'redoc-start.js'),
};

/** Both viewers write styles into the page; nothing of theirs may come from or go to another host. */
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const page = (title: string, head: string, body: string) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
  `<meta name="viewport" content="width=device-width, initial-scale=1">${head}</head><body>${body}</body></html>`;

const swaggerPage = page(
  `${TITLE} - Swagger UI`,
  '<link rel="stylesheet" href="/docs/files/swagger-ui.css">',
  '<div id="swagger-ui"></div><script src="/docs/files/swagger-ui-bundle.js"></script>' +
    '<script src="/docs/files/swagger-start.js"></script>',
);
const redocPage = page(
  `${TITLE} - ReDoc`,
  '',
  '<div id="redoc"></div><script src="/docs/files/redoc.standalone.js"></script>' +
    '<script src="/docs/files/redoc-start.js"></script>',
);

const html = (response: Response, text: string) => {
  response.set('Content-Security-Policy', POLICY).type('html').send(text);
};

/** Paths and handlers. */
export function docRoutes(): Routes {
  const document = JSON.stringify(openApiDocument());
  return {
    '/openapi.json': { GET: (_, response) => void response.type('json').send(document) },
    '/docs': { GET: (_, response) => html(response, swaggerPage) },
    '/redoc': { GET: (_, response) => html(response, redocPage) },
    '/docs/oauth2-redirect': { GET: (_, response) => sendFile(response, 'oauth2-redirect.html') },
    '/docs/files/{file}': { GET: (request, response) => sendFile(response, paramOf(request, 'file')) },
  };
}

function sendFile(response: Response, name: string): void {
  const path = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
  if (path === undefined) throw new Failure('RouteNotFound');
  response.sendFile(path, { maxAge: '1d' });
}
