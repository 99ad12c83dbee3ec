// The documentation: pages that need no other host, and a document that tells every route, model and answer.
import { z } from 'zod';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { documentOf } from './document.ts';
import type { Document } from './document.ts';

let system: System;
let document: Document;
beforeAll(async () => {
  system = await startSystem();
  document = await documentOf(system.api);
});
afterAll(() => system?.stop());

test.each([
  ['/docs', 'Cloud Ops AI Agent - Swagger UI'],
  ['/redoc', 'Cloud Ops AI Agent - ReDoc'],
])('%s is a page titled %s that loads everything from here', async (path, title) => {
  const { status, text, headers } = await system.api.call('GET', path);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^text\/html/);
  expect(text).toContain(`<title>${title}</title>`);
  expect(text).not.toMatch(/(?:https?:)?\/\/[a-z]/i);
  expect(headers.get('content-security-policy')).toMatch(/default-src 'self'/);
  const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
  expect(files.length).toBeGreaterThanOrEqual(2);
  for (const file of files) {
    const asset = await system.api.call('GET', file);
    expect([file, asset.status]).toEqual([file, 200]);
    expect(asset.headers.get('content-type')).toMatch(file.endsWith('.css') ? /^text\/css/ : /javascript/);
  }
  const starts = await Promise.all(
    files.filter((file) => file.includes('-start')).map((file) => system.api.call('GET', file)),
  );
  expect(starts.map(({ text: script }) => script).join('')).toContain('/openapi.json');
});

test('the redirect page of Swagger is there', async () => {
  const { status, text } = await system.api.call('GET', '/docs/oauth2-redirect');
  expect(status).toBe(200);
  expect(text).toContain('oauth2');
  expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
});

test('the document says what it is', async () => {
  const { headers } = await system.api.call('GET', '/openapi.json');
  expect(headers.get('content-type')).toMatch(/^application\/json/);
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Cloud Ops AI Agent', version: '0.1.0' } });
  expect(document.tags.map(({ name }) => name)).toEqual(expect.arrayContaining(['System', 'Operations', 'Tasks']));
});

test.each([
  ['/health', 'get', 'health_check_health_get', 'System', ['200']],
  ['/api/v1/operations', 'get', 'list_operations_api_v1_operations_get', 'Operations', ['200']],
  ['/api/v1/tasks', 'get', 'list_tasks_api_v1_tasks_get', 'Tasks', ['200', '422', '503']],
  ['/api/v1/tasks', 'post', 'submit_task_api_v1_tasks_post', 'Tasks', ['202', '400', '413', '422', '503']],
  ['/api/v1/tasks/{task_id}', 'get', 'get_task_api_v1_tasks__task_id__get', 'Tasks', ['200', '304', '404', '503']],
  [
    '/api/v1/tasks/{task_id}',
    'delete',
    'terminate_task_api_v1_tasks__task_id__delete',
    'Tasks',
    ['200', '409', '422', '503'],
  ],
  [
    '/api/v1/tasks/{task_id}/confirm',
    'post',
    'confirm_task_api_v1_tasks__task_id__confirm_post',
    'Tasks',
    ['200', '400', '409', '412', '413', '422', '503'],
  ],
  ['/api/v1/tasks/{task_id}/events', 'get', 'list_task_events', 'Tasks', ['200', '404', '503']],
  ['/api/v1/events', 'get', 'follow_events', 'Tasks', ['200', '422', '503']],
  ['/livez', 'get', 'live_livez_get', 'System', ['200']],
  ['/readyz', 'get', 'ready_readyz_get', 'System', ['200', '503']],
])('%s %s is documented as %s with all its answers', (path, method, operationId, tag, codes) => {
  const operation = document.paths[path]?.[method];
  expect(operation).toMatchObject({ operationId, tags: [tag] });
  expect(Object.keys(operation?.responses ?? {})).toEqual(expect.arrayContaining(codes));
});

test('every operation id is there once', () => {
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map((each) => each.operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

test('the models of the contract are named, with their fields in order', () => {
  const models = document.components.schemas;
  const fields = {
    HealthResponse: ['status', 'version', 'high_risk_operations'],
    OperationInfo: ['name', 'description', 'risk', 'params'],
    SubmitTaskRequest: ['operation', 'resource', 'params'],
    SubmitTaskResponse: ['task_id', 'status', 'is_high_risk', 'message'],
    TaskResponse: ['task_id', 'operation', 'resource', 'status', 'result', 'error', 'created_at', 'updated_at'],
    ConfirmRequest: ['confirmed'],
    ConfirmResponse: ['task_id', 'confirmed', 'message'],
    TerminateResponse: ['task_id', 'signalled', 'message'],
    HTTPValidationError: ['detail'],
    ValidationError: ['loc', 'msg', 'type'],
  };
  for (const [name, expected] of Object.entries(fields)) {
    const properties = Object.keys(models[name]?.properties ?? {});
    if (name === 'ValidationError') expect(properties).toEqual(expect.arrayContaining(expected));
    else expect([name, ...properties.slice(0, expected.length)]).toEqual([name, ...expected]);
  }
  expect(models.SubmitTaskRequest).toMatchObject({ required: ['operation', 'resource'] });
  expect(models.ConfirmRequest).toMatchObject({ required: ['confirmed'] });
  const taskStatus = z.looseObject({ enum: z.array(z.string()) }).parse(models.TaskResponse?.properties?.status);
  expect(taskStatus.enum).toEqual(['PENDING', 'AWAITING_CONFIRMATION', 'RUNNING', 'COMPLETED', 'TERMINATED', 'FAILED']);
});

test('every error can be had as problem+json, and the document says so', () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      for (const [code, { content }] of Object.entries(responses)) {
        if (Number(code) < 400 || path === '/readyz') continue;
        const types = Object.keys(content ?? {});
        expect([path, method, code, ...types]).toEqual([
          path,
          method,
          code,
          'application/json',
          'application/problem+json',
        ]);
      }
    }
  }
});

test('every reference of the document leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
  expect(references.length).toBeGreaterThan(8);
  for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name ?? '');
});
