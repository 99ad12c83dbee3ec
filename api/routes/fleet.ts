// The routes over all machines: the fleet at a glance, what a task cost, and what `reconcile` found.
import type { Request, Response } from 'express';
import { taskCost } from '../../service/cost.ts';
import { getFindings } from '../../service/findings.ts';
import type { FindingRow } from '../../service/findings.ts';
import { getFleet } from '../../service/fleet.ts';
import type { Service } from '../../service/open.ts';
import { readQuery } from '../body.ts';
import { findingsQuery, fleetQuery } from '../fleet-fields.ts';
import { findingOf, fleetOf, taskCostOf } from '../fleet-wire.ts';
import { principalOf } from '../principal.ts';
import type { Routes } from '../routing.ts';
import { paramOf } from '../routing.ts';

/** Paths and handlers. */
export function fleetRoutes(service: Service): Routes {
  return {
    '/api/v1/fleet': { GET: (request, response) => fleet(service, request, response) },
    '/api/v1/findings': { GET: (request, response) => findings(service, request, response) },
    '/api/v1/tasks/{task_id}/cost': { GET: (request, response) => cost(service, request, response) },
  };
}

async function fleet(service: Service, request: Request, response: Response): Promise<void> {
  const { limit, cursor } = readQuery(request, fleetQuery);
  const { tenant } = principalOf(request);
  const found = await getFleet(service, tenant, { limit, ...(cursor !== undefined && { after: cursor }) });
  const last = found.rows.at(-1);
  if (found.more && last) linkNext(response, '/api/v1/fleet', { limit: String(limit), cursor: last.row.nameKey });
  response.json(fleetOf(found));
}

async function findings(service: Service, request: Request, response: Response): Promise<void> {
  const { open, kind, limit, cursor } = readQuery(request, findingsQuery);
  const { tenant } = principalOf(request);
  const { rows, more } = await getFindings(service, tenant, {
    limit,
    ...(open !== undefined && { open: open === 'true' }),
    ...(kind !== undefined && { kind }),
    ...(cursor && { after: { firstSeenAt: cursor[0], kind: cursor[1], subject: cursor[2] } }),
  });
  const last = rows.at(-1);
  if (more && last) {
    const same = { ...(open !== undefined && { open }), ...(kind !== undefined && { kind }) };
    linkNext(response, '/api/v1/findings', { ...same, limit: String(limit), cursor: cursorOf(last) });
  }
  response.json(rows.map(findingOf));
}

async function cost(service: Service, request: Request, response: Response): Promise<void> {
  const { tenant } = principalOf(request);
  const id = paramOf(request, 'task_id');
  response.json(taskCostOf(id, await taskCost(service, tenant, id)));
}

function linkNext(response: Response, path: string, query: Readonly<Record<string, string>>): void {
  response.set('Link', `<${path}?${new URLSearchParams(query).toString()}>; rel="next"`);
}

function cursorOf({ firstSeenAt, kind, subject }: FindingRow): string {
  return Buffer.from(JSON.stringify([firstSeenAt.toISOString(), kind, subject])).toString('base64url');
}
