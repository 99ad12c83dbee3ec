// The routes of files: up into the work folder of a member, and down from it, as tasks with the bytes on the way.
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { Failure } from '../../domain/failures.ts';
import { isTerminal } from '../../domain/task.ts';
import type { Json, JsonObject } from '../../domain/task.ts';
import { filePath, LARGEST_FILE_BYTES } from '../../operations/files.ts';
import { issuesOf } from '../../operations/issues.ts';
import { failureOfTask, keepUpload, openReceived } from '../../service/files.ts';
import { getMember } from '../../service/members.ts';
import type { Service } from '../../service/open.ts';
import { submit } from '../../service/submit.ts';
import type { TaskRow } from '../../service/tasks.ts';
import { waitForTask } from '../../service/tasks.ts';
import { accept } from '../accept.ts';
import { readQuery } from '../body.ts';
import { invalid } from '../errors.ts';
import { downloadQuery, uploadQuery } from '../file-fields.ts';
import { waitMsOf } from '../prefer.ts';
import { principalOf } from '../principal.ts';
import type { Routes } from '../routing.ts';
import { paramOf } from '../routing.ts';
import { taskOf } from '../wire.ts';

/** How long a download waits for the machine when its caller does not say. */
const WAIT_MS = 30_000;

/** Paths and handlers. */
export function fileRoutes(service: Service): Routes {
  return {
    '/api/v1/members/{member_id}/files/{+path}': {
      GET: (request, response) => download(service, request, response),
      PUT: (request, response) => upload(service, request, response),
    },
  };
}

function pathOf(request: Request): string {
  const path = paramOf(request, 'path');
  const parsed = filePath.safeParse(path);
  if (!parsed.success) throw invalid(issuesOf(parsed.error, ['path', 'path'], path));
  return parsed.data;
}

async function upload(service: Service, request: Request, response: Response): Promise<void> {
  const path = pathOf(request);
  const query = readQuery(request, uploadQuery);
  const { tenant } = principalOf(request);
  const { id: member, settings } = await getMember(service, tenant, paramOf(request, 'member_id'));
  if (Number(request.get('content-length')) > LARGEST_FILE_BYTES) {
    throw new Failure('BodyTooLarge', { limit: LARGEST_FILE_BYTES });
  }
  const { id: blob, sha256 } = await received(request, keepUpload(service, tenant, bytesOf(request)));
  refuseOther(request, sha256);
  const { start, mode } = query;
  const params = { member, files: [{ path, blob, sha256, ...(mode !== undefined && { mode }) }], start };
  await accept(service, request, response, { operation: 'send_files', resource: settings.name, params });
}

/** Not the request itself: that would be destroyed, and the answer with it, when not all of it is wanted. */
async function* bytesOf(request: Request): AsyncGenerator<Uint8Array> {
  for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk;
}

/** What comes of a body. The rest of one that is refused is read, because a caller who still sends may not see the answer. */
async function received<T>(request: Request, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Failure) && request.destroyed && !request.complete) throw new Failure('MalformedBody');
    request.resume();
    throw error;
  }
}

/** Whoever says what the bytes are (RFC 9530) is told when others came. */
function refuseOther(request: Request, sha256: string): void {
  const given = request.get('repr-digest') ?? request.get('content-digest');
  const wanted = /(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]*):/.exec(given ?? '')?.[1];
  if (wanted === undefined || wanted === digestOf(sha256)) return;
  const msg = `Input should be the digest of the body, which is sha-256=:${digestOf(sha256)}:`;
  throw invalid([{ type: 'value_error', loc: ['header', 'repr-digest'], msg, input: given }]);
}

function digestOf(sha256: string): string {
  return Buffer.from(sha256, 'hex').toString('base64');
}

async function download(service: Service, request: Request, response: Response): Promise<void> {
  const path = pathOf(request);
  const { start, task } = readQuery(request, downloadQuery);
  const { tenant, principal } = principalOf(request);
  const { id: member, settings } = await getMember(service, tenant, paramOf(request, 'member_id'));
  const waitMs = waitMsOf(request, response) || WAIT_MS;
  const submission = { tenant, principal, operation: 'receive_files', resource: settings.name };
  const id = task ?? (await submit(service, { ...submission, params: { member, paths: [path], start } })).taskId;
  const row = await waitForTask(service, tenant, id, waitMs);
  if (row?.operation !== 'receive_files') throw new Failure('TaskNotFound', { id });
  if (!isTerminal(row.status)) {
    response
      .status(202)
      .set({ Location: `/api/v1/tasks/${id}`, 'Retry-After': '1' })
      .json(taskOf(row));
    return;
  }
  if (row.status !== 'COMPLETED') throw await failureOfTask(service, row);
  const { sizeBytes, sha256, bytes } = await openReceived(service, tenant, blobIn(row, settings.name, path));
  response.attachment(path.slice(path.lastIndexOf('/') + 1));
  response.set({
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(sizeBytes),
    'Repr-Digest': `sha-256=:${digestOf(sha256)}:`,
    'Cache-Control': 'no-store',
  });
  // The answer has begun: all that can be said of a failure is a connection that is cut before the promised length.
  await pipeline(bytes, response).catch((error: unknown) => request.log.warn({ err: error }, 'download was cut'));
}

/** The blob in which a task has this file of this member. Throws `FileNotFound`. */
function blobIn({ result }: Pick<TaskRow, 'result'>, member: string, path: string): string {
  const files = result?.member === member && Array.isArray(result.files) ? result.files : [];
  const found = files.filter(isObject).find((file) => file.path === path);
  if (typeof found?.blob !== 'string') throw new Failure('FileNotFound', { path });
  return found.blob;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
