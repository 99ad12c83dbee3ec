// The routes over all machines in the OpenAPI document.
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { z } from 'zod';
import { findingAnswer, findingsQuery, fleetAnswer, fleetQuery, taskCostAnswer } from './fleet-fields.ts';
import { error, invalid, json, operation, unavailable } from './openapi-parts.ts';

const FLEET =
  'All members by name, from the store alone: the idle sweep and `reconcile` look at the cloud, so a figure may be some ' +
  'minutes old, and each says how old it is (`observed_age_s` for the instance, `probed_age_s` for the look by SSH). ' +
  'Costs are computed for `now`. Nothing is started or asked by reading.';

const FINDINGS =
  'Instances with a tag of Fermata (`fermata:member`, or `managed-by` = `fermata`) that run without a member, members ' +
  'whose instance is gone, leases whose workflow is gone (freed after two minutes), tasks that were lost (shown for a ' +
  'day), and tenants over their budget. Newest first. Nothing is stopped because of a finding.';

const TASK_COST =
  'What the machine of a task cost from the moment the task set about it until it ended, or until now. Tasks that share ' +
  'a machine each count all of it. `usd` is null when no price is known.';

export const fleetPaths: ZodOpenApiPathsObject = {
  '/api/v1/fleet': {
    get: operation('Fleet', 'get_fleet', 'The Fleet at a Glance', {
      description: FLEET,
      requestParams: { query: fleetQuery },
      responses: {
        '200': json('The members of the page, and sums of all', fleetAnswer, ['Link']),
        ...invalid,
        ...unavailable,
      },
    }),
  },
  '/api/v1/findings': {
    get: operation('Fleet', 'list_findings', 'Findings', {
      description: FINDINGS,
      requestParams: { query: findingsQuery },
      responses: { '200': json('What was found', z.array(findingAnswer), ['Link']), ...invalid, ...unavailable },
    }),
  },
  '/api/v1/tasks/{task_id}/cost': {
    get: operation('Tasks', 'get_task_cost', 'Cost of a Task', {
      description: TASK_COST,
      requestParams: { path: z.object({ task_id: z.string() }) },
      responses: { '200': json('Its machine time', taskCostAnswer), '404': error('No such task'), ...unavailable },
    }),
  },
};
