// The routes of members in the OpenAPI document.
import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { z } from 'zod';
import { memberBody, memberListQuery, memberPastQuery, memberPatch, removeQuery, snoozeBody } from './member-fields.ts';
import { accepted, badBody, bodyOf, error, invalid, json, operation, prefer, unavailable } from './openapi-parts.ts';

const memberId = z.object({ member_id: z.string().meta({ description: 'Its id or its name' }) });
const headers = z.object({ 'Idempotency-Key': z.string().max(257).optional(), ...prefer });

const memberAnswer = z
  .looseObject({
    member_id: z.string(),
    friendly_name: z.string(),
    state: z.string().nullable(),
    warnings: z.array(z.string()).optional(),
  })
  .meta({ id: 'MemberAnswer', description: 'The registered fields, and what was observed and when' });
const rows = (description: string) =>
  json(description, z.array(z.looseObject({ at: z.string().nullable() })), ['Link']);

const notFound = { '404': error('No such member') };
const unknownMember = { ...notFound, ...unavailable };

/** A route that submits a task on a member. */
export const memberWork = (
  operationId: string,
  summary: string,
  body: z.ZodType,
  { required = true, conflict = null }: { readonly required?: boolean; readonly conflict?: string | null } = {},
) =>
  operation('Members', operationId, summary, {
    requestParams: { path: memberId, header: headers },
    requestBody: { ...bodyOf(body), required },
    responses: {
      '202': accepted,
      ...badBody,
      '400': error('A body that is no text, or a bad Idempotency-Key'),
      ...(conflict !== null && { '409': error(conflict) }),
      ...invalid,
      ...unknownMember,
    },
  });

const anything = z.record(z.string(), z.unknown());
const nothing = z.strictObject({});
const ofCloud = { required: false, conflict: 'Not a cloud machine' };

export const memberPaths: ZodOpenApiPathsObject = {
  '/api/v1/members': {
    get: operation('Members', 'list_members', 'List Members', {
      requestParams: { query: memberListQuery },
      responses: { '200': json('Members by name', z.array(memberAnswer), ['Link']), ...invalid, ...unavailable },
    }),
    post: operation('Members', 'register_member', 'Register Member', {
      requestBody: bodyOf(memberBody),
      responses: {
        '201': json('Registered; warnings say what is not as it should be', memberAnswer, ['Location']),
        ...badBody,
        '409': error('The name or the instance is taken, or the instance is terminated'),
        ...invalid,
        ...unavailable,
      },
    }),
  },
  '/api/v1/members/{member_id}': {
    get: operation('Members', 'get_member', 'Get Member', {
      requestParams: { path: memberId },
      responses: { '200': json('The member, who uses it and who waits for it', memberAnswer), ...unknownMember },
    }),
    patch: operation('Members', 'change_member', 'Change Member', {
      requestParams: { path: memberId },
      requestBody: bodyOf(memberPatch),
      responses: {
        '200': json('The member as it is now', memberAnswer),
        ...badBody,
        '409': error('The name is taken, or somebody changed it meanwhile'),
        ...invalid,
        ...unknownMember,
      },
    }),
    delete: operation('Members', 'remove_member', 'Remove Member', {
      requestParams: { path: memberId, query: removeQuery, header: headers },
      responses: {
        '202': accepted,
        '400': error('A bad Idempotency-Key'),
        '409': error('Its machine runs: say stop=true or stop=false'),
        ...invalid,
        ...unknownMember,
      },
    }),
  },
  '/api/v1/members/{member_id}/events': {
    get: operation('Members', 'list_member_events', 'Events of a Member', {
      requestParams: { path: memberId, query: memberPastQuery },
      responses: { '200': rows('What happened to it, newest first'), ...invalid, ...unknownMember },
    }),
  },
  '/api/v1/members/{member_id}/verdicts': {
    get: operation('Members', 'list_member_verdicts', 'Verdicts on a Member', {
      requestParams: { path: memberId, query: memberPastQuery },
      responses: {
        '200': rows('What the idle sweep judged and from what, newest first'),
        ...invalid,
        ...unknownMember,
      },
    }),
  },
  '/api/v1/members/{member_id}/snooze': {
    post: operation('Members', 'snooze_member', 'Hold Off Idle Stop', {
      requestParams: { path: memberId },
      requestBody: bodyOf(snoozeBody),
      responses: {
        '200': json('Until when', z.object({ member_id: z.string(), snoozed_until: z.string() })),
        ...badBody,
        '409': error('Not a cloud machine'),
        ...invalid,
        ...unknownMember,
      },
    }),
  },
  '/api/v1/members/{member_id}/start': { post: memberWork('start_member', 'Start its Machine', nothing, ofCloud) },
  '/api/v1/members/{member_id}/stop': { post: memberWork('stop_member', 'Stop its Machine', nothing, ofCloud) },
  '/api/v1/members/{member_id}/commands': { post: memberWork('run_command', 'Run a Command', anything) },
  '/api/v1/members/{member_id}/prompts': { post: memberWork('execute_prompt', 'Give a Prompt to an Agent', anything) },
  '/api/v1/members/{member_id}/provision': {
    post: memberWork('provision_member', 'Make it Ready', anything, { required: false }),
  },
};
