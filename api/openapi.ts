// The OpenAPI document, generated from the schemas that validate: every route with every answer it can give.
import { createDocument } from 'zod-openapi';
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { z } from 'zod';
import { VERSION } from './routes/system.ts';
import { filePaths } from './openapi-files.ts';
import { fleetPaths } from './openapi-fleet.ts';
import { jobPaths } from './openapi-jobs.ts';
import { memberPaths } from './openapi-members.ts';
import { accepted, badBody, bodyOf, error, invalid, json, operation, prefer, unavailable } from './openapi-parts.ts';
import * as wire from './schemas.ts';

const taskId = z.object({ task_id: z.string().meta({ description: 'The id that a submit answered with' }) });
const paths: ZodOpenApiPathsObject = {
  '/health': {
    get: operation('System', 'health_check_health_get', 'Health Check', {
      responses: { '200': json('The process answers', wire.healthResponse) },
    }),
  },
  '/livez': {
    get: operation('System', 'live_livez_get', 'Live', {
      responses: { '200': json('The process answers', wire.healthResponse) },
    }),
  },
  '/readyz': {
    get: operation('System', 'ready_readyz_get', 'Ready', {
      responses: {
        '200': json('Temporal and PostgreSQL answer', wire.readyResponse),
        '503': json('One of them does not', wire.readyResponse),
      },
    }),
  },
  '/api/v1/operations': {
    get: operation('Operations', 'list_operations_api_v1_operations_get', 'List Operations', {
      responses: { '200': json('The catalogue', z.array(wire.operationInfo)) },
    }),
  },
  '/api/v1/tasks': {
    get: operation('Tasks', 'list_tasks_api_v1_tasks_get', 'List Tasks', {
      requestParams: { query: wire.listQuery },
      responses: {
        '200': json('The newest tasks, oldest first', z.array(wire.taskListItem), ['Link']),
        ...invalid,
        ...unavailable,
      },
    }),
    post: operation('Tasks', 'submit_task_api_v1_tasks_post', 'Submit Task', {
      requestParams: { header: z.object({ 'Idempotency-Key': z.string().max(257).optional(), ...prefer }) },
      requestBody: bodyOf(wire.submitTaskRequest),
      responses: {
        '202': accepted,
        ...badBody,
        '400': error('Unknown operation, a body that is no text, or a bad Idempotency-Key'),
        ...invalid,
        ...unavailable,
      },
    }),
  },
  '/api/v1/tasks/{task_id}': {
    get: operation('Tasks', 'get_task_api_v1_tasks__task_id__get', 'Get Task', {
      requestParams: { path: taskId, header: z.object({ 'If-None-Match': z.string().optional(), ...prefer }) },
      responses: {
        '200': json('The task', wire.taskResponse, ['ETag']),
        '304': { description: 'Not changed since the ETag given' },
        '404': error('No such task'),
        ...unavailable,
      },
    }),
    delete: operation('Tasks', 'terminate_task_api_v1_tasks__task_id__delete', 'Terminate Task', {
      requestParams: { path: taskId, query: wire.deleteQuery },
      responses: {
        '200': json('The task stops at its next safe point', wire.terminateResponse),
        '404': error('No such path'),
        '409': error('Unknown, or has ended'),
        ...invalid,
        ...unavailable,
      },
    }),
  },
  '/api/v1/tasks/{task_id}/confirm': {
    post: operation('Tasks', 'confirm_task_api_v1_tasks__task_id__confirm_post', 'Confirm Task', {
      requestParams: { path: taskId },
      requestBody: bodyOf(wire.confirmRequest),
      responses: {
        '200': json('The decision is recorded', wire.confirmResponse),
        ...badBody,
        '404': error('No such path'),
        '409': error('Unknown, not awaiting a decision, or decided otherwise'),
        '412': error('The plan has another digest'),
        ...invalid,
        ...unavailable,
      },
    }),
  },
  '/api/v1/tasks/{task_id}/events': {
    get: operation('Tasks', 'list_task_events', 'Events of a Task', {
      requestParams: { path: taskId },
      responses: {
        '200': json('Who did what, when, and why', z.array(wire.eventResponse)),
        '404': error('No such task'),
        ...unavailable,
      },
    }),
  },
  '/api/v1/events': {
    get: operation('Tasks', 'follow_events', 'Follow Events', {
      requestParams: { query: wire.eventsQuery, header: z.object({ 'Last-Event-ID': z.string().optional() }) },
      responses: {
        '200': {
          description: 'Events in their sealed order, from now on or after a position',
          content: { 'text/event-stream': { schema: z.string() } },
        },
        ...invalid,
        ...unavailable,
      },
    }),
  },
};

/** The document; made once. */
export function openApiDocument() {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Cloud Ops AI Agent',
      version: VERSION,
      description: 'Fermata: risky cloud operations that hold for a human decision.',
    },
    tags: [
      { name: 'System' },
      { name: 'Operations' },
      { name: 'Tasks' },
      { name: 'Members' },
      { name: 'Jobs' },
      { name: 'Fleet' },
    ],
    paths: { ...paths, ...memberPaths, ...filePaths, ...jobPaths, ...fleetPaths },
  });
}
