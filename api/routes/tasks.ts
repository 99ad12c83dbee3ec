// The routes of tasks: submit, list, read, decide, cancel.
import type { Request, Response } from 'express';
import { Failure } from '../../domain/failures.ts';
import type { JsonObject } from '../../domain/task.ts';
import { decide } from '../../service/decide.ts';
import type { Service } from '../../service/open.ts';
import { cancelTask, getTask, getTasks, waitForTask } from '../../service/tasks.ts';
import { accept } from '../accept.ts';
import { readBody, readQuery } from '../body.ts';
import { waitMsOf } from '../prefer.ts';
import type { Routes } from '../routing.ts';
import { paramOf } from '../routing.ts';
import { confirmRequest, deleteQuery, listQuery, submitTaskRequest } from '../schemas.ts';
import { etagOf, listItemOf, taskOf } from '../wire.ts';
import { principalOf } from '../principal.ts';

/** Paths and handlers. */
export function taskRoutes(service: Service): Routes {
  return {
    '/api/v1/tasks': {
      POST: (request, response) => submitTask(service, request, response),
      GET: (request, response) => listTasks(service, request, response),
    },
    '/api/v1/tasks/{task_id}': {
      GET: (request, response) => readTask(service, request, response),
      DELETE: (request, response) => terminateTask(service, request, response),
    },
    '/api/v1/tasks/{task_id}/confirm': {
      POST: (request, response) => confirmTask(service, request, response),
    },
  };
}

async function submitTask(service: Service, request: Request, response: Response): Promise<void> {
  const { body, raw } = readBody(request, submitTaskRequest);
  const { operation, resource } = body;
  await accept(service, request, response, { operation, resource, params: paramsOf(raw) });
}

/** The parameters as they were sent: a schema's copy could lose a key such as `__proto__` before it is refused. */
function paramsOf(raw: unknown): JsonObject {
  const params: unknown = typeof raw === 'object' && raw !== null ? Reflect.get(raw, 'params') : undefined;
  return isObject(params) ? params : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function listTasks(service: Service, request: Request, response: Response): Promise<void> {
  const { limit, cursor, status, operation } = readQuery(request, listQuery);
  const { tenant } = principalOf(request);
  const { rows, more } = await getTasks(service, tenant, {
    limit,
    ...(cursor !== undefined && { before: positionOf(cursor) }),
    ...(status !== undefined && { status }),
    ...(operation !== undefined && { operation }),
  });
  const [oldest] = rows;
  if (more && oldest) {
    const next = new URLSearchParams({ limit: String(limit), cursor: cursorOf(oldest.position) });
    if (status !== undefined) next.set('status', status);
    if (operation !== undefined) next.set('operation', operation);
    response.set('Link', `</api/v1/tasks?${next.toString()}>; rel="next"`);
  }
  response.json(rows.map(listItemOf));
}

function cursorOf(position: number): string {
  return Buffer.from(String(position)).toString('base64url');
}

function positionOf(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Failure('InvalidRequest', { why: 'cursor' }, [
    { type: 'value_error', loc: ['query', 'cursor'], msg: 'Take the cursor from the Link header', input: cursor },
  ]);
}

async function readTask(service: Service, request: Request, response: Response): Promise<void> {
  const { tenant } = principalOf(request);
  const id = paramOf(request, 'task_id');
  const known = /"(\d{1,9})"/.exec(request.get('if-none-match') ?? '')?.[1];
  const waitMs = waitMsOf(request, response);
  const row =
    waitMs > 0
      ? await waitForTask(service, tenant, id, waitMs, known === undefined ? undefined : Number(known))
      : await getTask(service, tenant, id);
  if (!row) throw new Failure('TaskNotFound', { id });
  const etag = etagOf(row);
  response.set({ ...(etag !== undefined && { ETag: etag }), 'Cache-Control': 'no-cache' });
  if (etag !== undefined && isKnown(request, etag)) response.status(304).end();
  else response.json(taskOf(row));
}

/** RFC 9110's weak comparison. Not Express's own: browsers send `no-cache` along with a condition that a script sets. */
function isKnown(request: Request, etag: string): boolean {
  const known = (request.get('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return known.includes(etag) || (known.length === 1 && known[0] === '*');
}

async function confirmTask(service: Service, request: Request, response: Response): Promise<void> {
  const { body } = readBody(request, confirmRequest);
  const { tenant, principal } = principalOf(request);
  const id = paramOf(request, 'task_id');
  await decide(service, {
    tenant,
    id,
    by: principal,
    approve: body.confirmed,
    requestId: String(response.locals.requestId),
    ...(body.plan_digest !== undefined && { planDigest: body.plan_digest }),
    ...(body.comment !== undefined && { comment: body.comment }),
  });
  const verb = body.confirmed ? 'approved' : 'rejected';
  response.json({
    task_id: id,
    confirmed: body.confirmed,
    message: `Operation ${verb}. Task will proceed accordingly.`,
  });
}

async function terminateTask(service: Service, request: Request, response: Response): Promise<void> {
  const { undo } = readQuery(request, deleteQuery);
  const { tenant, principal: by } = principalOf(request);
  const id = paramOf(request, 'task_id');
  await cancelTask(service, { tenant, id, by, undo: undo === 'true' });
  response.json({ task_id: id, signalled: true, message: `Termination signal sent to task '${id}'.` });
}
