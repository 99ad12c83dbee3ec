// The routes of events: those of one task, and all of a tenant as they happen.
import type { Request } from 'express';
import { Failure } from '../../domain/failures.ts';
import { isTaskId } from '../../domain/task.ts';
import type { Service } from '../../service/open.ts';
import { getEvents } from '../../service/tasks.ts';
import { readQuery } from '../body.ts';
import { follow } from '../live.ts';
import { principalOf } from '../principal.ts';
import type { Routes } from '../routing.ts';
import { paramOf } from '../routing.ts';
import { eventsQuery } from '../schemas.ts';
import { eventOf } from '../wire.ts';

/** Paths and handlers. */
export function eventRoutes(service: Service): Routes {
  return {
    '/api/v1/tasks/{task_id}/events': {
      GET: async (request, response) => {
        const id = paramOf(request, 'task_id');
        if (!isTaskId(id)) throw new Failure('TaskNotFound', { id });
        response.json((await getEvents(service, principalOf(request).tenant, id)).map(eventOf));
      },
    },
    '/api/v1/events': {
      GET: async (request, response) => {
        const { tenant } = principalOf(request);
        await follow(service, { tenant, after: placeOf(request) }, response);
      },
    },
  };
}

/** Where to go on: the header of a reconnecting reader, else the query. */
function placeOf(request: Request): number | undefined {
  const last = request.get('last-event-id');
  if (last !== undefined && /^\d{1,15}$/.test(last)) return Number(last);
  return readQuery(request, eventsQuery).after;
}
