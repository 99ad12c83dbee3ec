// The routes of jobs in the OpenAPI document.
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { z } from 'zod';
import { jobAnswer, jobAsked, jobEventsQuery, jobItem, jobListQuery, jobLogQuery } from './job-fields.ts';
import { jobBody } from '../operations/start-job.ts';
import { error, invalid, json, operation, unavailable } from './openapi-parts.ts';
import { memberWork } from './openapi-members.ts';

const jobId = z.object({ job_id: z.string().meta({ description: '`job-` and twelve characters' }) });
const unknownJob = { '404': error('No such job'), ...unavailable };
const header = (description: string) => ({ description, schema: { type: 'string' as const } });
const event = z.looseObject({ at: z.string(), by: z.string(), status: z.string(), says: z.string() });

export const jobPaths: ZodOpenApiPathsObject = {
  '/api/v1/members/{member_id}/jobs': {
    post: memberWork('start_job', 'Start Job', jobBody),
  },
  '/api/v1/jobs': {
    get: operation('Jobs', 'list_jobs', 'List Jobs', {
      requestParams: { query: jobListQuery },
      responses: {
        '200': json('The newest jobs first', z.array(jobItem), ['Link']),
        '404': error('No such member'),
        ...invalid,
        ...unavailable,
      },
    }),
  },
  '/api/v1/jobs/{job_id}': {
    get: operation('Jobs', 'get_job', 'Get Job', {
      requestParams: { path: jobId },
      responses: { '200': json('The job', jobAnswer), ...unknownJob },
    }),
    delete: operation('Jobs', 'cancel_job', 'Cancel Job', {
      requestParams: { path: jobId },
      responses: {
        '202': json('It is asked to end; it has when its status says so', jobAsked),
        '409': error('It has ended'),
        ...unknownJob,
      },
    }),
  },
  '/api/v1/jobs/{job_id}/checkpoint': {
    post: operation('Jobs', 'checkpoint_job', 'Ask for a Checkpoint', {
      requestParams: { path: jobId },
      responses: {
        '202': json('It is asked; `checkpoint.asked` says what came of it', jobAsked),
        '409': error('It does not run, or nothing says how to ask it'),
        ...unknownJob,
      },
    }),
  },
  '/api/v1/jobs/{job_id}/events': {
    get: operation('Jobs', 'list_job_events', 'Events of a Job', {
      requestParams: { path: jobId, query: jobEventsQuery },
      responses: { '200': json('What happened to it lately, oldest first', z.array(event)), ...invalid, ...unknownJob },
    }),
  },
  '/api/v1/jobs/{job_id}/log': {
    get: operation('Jobs', 'get_job_log', 'Log of a Job', {
      requestParams: { path: jobId, query: jobLogQuery, header: z.object({ 'Last-Event-ID': z.string().optional() }) },
      responses: {
        '200': {
          description:
            'Bytes from an offset; with follow=1 events, each with its bytes in base64 and the offset after it',
          headers: {
            'X-Log-Offset': header('Of the first byte here: later than asked for when that is no longer kept'),
            'X-Log-End': header('Where the log ends now'),
          },
          content: {
            'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) },
            'text/event-stream': { schema: z.string() },
          },
        },
        ...invalid,
        ...unknownJob,
      },
    }),
  },
};
