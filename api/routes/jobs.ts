// The routes of jobs: start one on a member, list, read, follow the log, ask for a checkpoint, cancel.
import type { Request, Response } from 'express';
import { setTimeout as pause } from 'node:timers/promises';
import type { Service } from '../../service/open.ts';
import {
  cancelJob,
  findJob,
  getJob,
  getJobEvents,
  getJobs,
  getLog,
  getLogEnd,
  requestCheckpoint,
} from '../../service/jobs.ts';
import { getMember } from '../../service/members.ts';
import { readQuery } from '../body.ts';
import { jobEventsQuery, jobListQuery, jobLogQuery } from '../job-fields.ts';
import { jobEventOf, jobItemOf, jobOf } from '../job-wire.ts';
import { streaming } from '../live.ts';
import { principalOf } from '../principal.ts';
import type { Routes } from '../routing.ts';
import { paramOf } from '../routing.ts';
import { onMember } from './members.ts';

/** Paths and handlers. */
export function jobRoutes(service: Service): Routes {
  return {
    '/api/v1/members/{member_id}/jobs': {
      POST: (request, response) => onMember(service, request, response, 'start_job'),
    },
    '/api/v1/jobs': { GET: (request, response) => list(service, request, response) },
    '/api/v1/jobs/{job_id}': {
      GET: (request, response) => read(service, request, response),
      DELETE: (request, response) => cancel(service, request, response),
    },
    '/api/v1/jobs/{job_id}/checkpoint': { POST: (request, response) => checkpoint(service, request, response) },
    '/api/v1/jobs/{job_id}/events': { GET: (request, response) => events(service, request, response) },
    '/api/v1/jobs/{job_id}/log': { GET: (request, response) => log(service, request, response) },
  };
}

async function list(service: Service, request: Request, response: Response): Promise<void> {
  const { limit, cursor, member, state, ...times } = readQuery(request, jobListQuery);
  const { created_from: from, created_to: to } = times;
  const { tenant } = principalOf(request);
  const memberId = member === undefined ? undefined : (await getMember(service, tenant, member)).id;
  const { rows, more } = await getJobs(service, tenant, {
    limit,
    ...(cursor !== undefined && { before: cursor }),
    ...(memberId !== undefined && { memberId }),
    ...(state !== undefined && { state }),
    ...(from !== undefined && { createdFrom: new Date(from) }),
    ...(to !== undefined && { createdTo: new Date(to) }),
  });
  const last = rows.at(-1);
  if (more && last) {
    const next = new URLSearchParams({ limit: String(limit), cursor: String(last.position) });
    for (const [name, value] of Object.entries({ member, state, created_from: from, created_to: to })) {
      if (value !== undefined) next.set(name, value);
    }
    response.set('Link', `</api/v1/jobs?${next.toString()}>; rel="next"`);
  }
  response.json(rows.map(jobItemOf));
}

async function read(service: Service, request: Request, response: Response): Promise<void> {
  const { tenant } = principalOf(request);
  response.json(jobOf(await getJob(service, tenant, paramOf(request, 'job_id'))));
}

async function cancel(service: Service, request: Request, response: Response): Promise<void> {
  const { tenant, principal } = principalOf(request);
  const id = paramOf(request, 'job_id');
  await cancelJob(service, tenant, id, principal);
  response.status(202).json({ job_id: id, message: `Job '${id}' is asked to end.` });
}

async function checkpoint(service: Service, request: Request, response: Response): Promise<void> {
  const { tenant, principal } = principalOf(request);
  const id = paramOf(request, 'job_id');
  await requestCheckpoint(service, tenant, id, principal);
  response.status(202).json({ job_id: id, message: `Job '${id}' is asked for a checkpoint.` });
}

async function events(service: Service, request: Request, response: Response): Promise<void> {
  const { limit } = readQuery(request, jobEventsQuery);
  const { tenant } = principalOf(request);
  response.json((await getJobEvents(service, tenant, paramOf(request, 'job_id'), limit)).map(jobEventOf));
}

async function log(service: Service, request: Request, response: Response): Promise<void> {
  const { offset, limit, follow } = readQuery(request, jobLogQuery);
  const { tenant } = principalOf(request);
  const id = paramOf(request, 'job_id');
  if (follow === '1') return followLog(service, response, { tenant, id, offset: placeOf(request) ?? offset });
  const { end } = await getLogEnd(service, tenant, id);
  const piece = await getLog(service, id, { offset, limit });
  response
    .type('application/octet-stream')
    .set({ 'X-Log-Offset': String(piece?.fromByte ?? end), 'X-Log-End': String(end), 'Cache-Control': 'no-store' })
    .send(piece?.bytes ?? Buffer.alloc(0));
}

/** Where a reconnecting reader goes on. */
function placeOf(request: Request): number | undefined {
  const last = request.get('last-event-id');
  return last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) : undefined;
}

const PIECE_BYTES = 262_144;
const LOOK_EVERY_MS = 500;

/** Server-sent events: each has the offset after it as its id and its bytes in base64, until the job has ended. */
async function followLog(
  service: Service,
  response: Response,
  { tenant, id, offset }: { readonly tenant: string; readonly id: string; readonly offset: number },
): Promise<void> {
  await findJob(service, tenant, id);
  await streaming(service, response, async ({ gone, write }) => {
    let at = offset;
    await write(`id: ${at}\n\n`);
    while (!gone.aborted) {
      // Asked before the piece, so that what came last is not missed.
      const { over } = await getLogEnd(service, tenant, id);
      const piece = await getLog(service, id, { offset: at, limit: PIECE_BYTES });
      if (piece) {
        at = piece.fromByte + piece.bytes.length;
        await write(`id: ${at}\nevent: log\ndata: ${piece.bytes.toString('base64')}\n\n`);
      } else if (over) {
        await write(`id: ${at}\nevent: end\ndata: {}\n\n`);
        return;
      } else await pause(LOOK_EVERY_MS, undefined, { signal: gone }).catch(() => undefined);
    }
  });
}
