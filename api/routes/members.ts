// The routes of members: register, list, read, change, remove; and the work on them, which is submitted as tasks.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { Failure } from '../../domain/failures.ts';
import type { JsonObject } from '../../domain/task.ts';
import type { PastPage, Registered } from '../../service/members.ts';
import { changeMember, getMember, getMemberEvents, getMembers, registerMember } from '../../service/members.ts';
import { getVerdicts, snoozeFor } from '../../service/idle.ts';
import { getMemberDetail } from '../../service/member-detail.ts';
import type { Service } from '../../service/open.ts';
import { accept } from '../accept.ts';
import { readBody, readQuery } from '../body.ts';
import { invalid } from '../errors.ts';
import { bodyOf, settingsOf } from '../member-body.ts';
import {
  memberBody,
  memberListQuery,
  memberPastQuery,
  memberPatch,
  removeQuery,
  snoozeBody,
} from '../member-fields.ts';
import { detailOf, memberEventOf, memberOf, verdictOf } from '../member-wire.ts';
import { principalOf } from '../principal.ts';
import type { Routes } from '../routing.ts';
import { paramOf } from '../routing.ts';
import { issuesOf } from '../../operations/issues.ts';

/** Paths and handlers. */
export function memberRoutes(service: Service): Routes {
  return {
    '/api/v1/members': {
      GET: (request, response) => list(service, request, response),
      POST: (request, response) => register(service, request, response),
    },
    '/api/v1/members/{member_id}': {
      GET: (request, response) => read(service, request, response),
      PATCH: (request, response) => change(service, request, response),
      DELETE: (request, response) => remove(service, request, response),
    },
    '/api/v1/members/{member_id}/verdicts': { GET: (request, response) => verdicts(service, request, response) },
    '/api/v1/members/{member_id}/snooze': { POST: (request, response) => snooze(service, request, response) },
    '/api/v1/members/{member_id}/events': { GET: (request, response) => events(service, request, response) },
    '/api/v1/members/{member_id}/start': {
      POST: (request, response) => power(service, request, response, 'start_instance'),
    },
    '/api/v1/members/{member_id}/stop': {
      POST: (request, response) => power(service, request, response, 'stop_instance'),
    },
    '/api/v1/members/{member_id}/commands': {
      POST: (request, response) => onMember(service, request, response, 'run_command'),
    },
    '/api/v1/members/{member_id}/prompts': {
      POST: (request, response) => onMember(service, request, response, 'execute_prompt'),
    },
    '/api/v1/members/{member_id}/provision': {
      POST: (request, response) => onMember(service, request, response, 'provision_member'),
    },
  };
}

async function register(service: Service, request: Request, response: Response): Promise<void> {
  const { body } = readBody(request, memberBody);
  const { settings, warnings } = settingsOf(body);
  const { tenant, principal } = principalOf(request);
  const registered: Registered = await registerMember(service, { tenant, principal, settings });
  const { row } = registered;
  response
    .status(201)
    .set('Location', `/api/v1/members/${row.id}`)
    .json({ ...memberOf(row), warnings: [...warnings, ...registered.warnings] });
}

async function list(service: Service, request: Request, response: Response): Promise<void> {
  const { limit, cursor } = readQuery(request, memberListQuery);
  const { tenant } = principalOf(request);
  const { rows, more } = await getMembers(service, tenant, { limit, ...(cursor !== undefined && { after: cursor }) });
  const last = rows.at(-1);
  if (more && last) {
    const next = new URLSearchParams({ limit: String(limit), cursor: last.nameKey });
    response.set('Link', `</api/v1/members?${next.toString()}>; rel="next"`);
  }
  response.json(rows.map(memberOf));
}

async function read(service: Service, request: Request, response: Response): Promise<void> {
  const { tenant } = principalOf(request);
  response.json(detailOf(await getMemberDetail(service, tenant, paramOf(request, 'member_id'))));
}

/** Lays the change over the fields as they are, so that a change has the rules of a registration. */
async function change(service: Service, request: Request, response: Response): Promise<void> {
  const { body } = readBody(request, memberPatch);
  const { tenant, principal: by } = principalOf(request);
  const row = await getMember(service, tenant, paramOf(request, 'member_id'));
  const former = bodyOf(row.settings);
  refuseFixed(former, body);
  const cleared = Object.entries(body).filter(([, value]) => value === null || value === '');
  const merged = { ...former, ...body };
  for (const [name] of cleared) Reflect.deleteProperty(merged, name);
  if (Object.hasOwn(body, 'password') && body.password !== null) Reflect.deleteProperty(merged, 'key_path');
  if (Object.hasOwn(body, 'key_path') && body.key_path !== null) Reflect.deleteProperty(merged, 'password');
  if (!Object.hasOwn(body, 'auth_type')) Reflect.deleteProperty(merged, 'auth_type');
  const parsed = memberBody.safeParse(merged);
  if (!parsed.success) throw invalid(issuesOf(parsed.error, ['body'], merged));
  const { settings, warnings } = settingsOf(parsed.data);
  const changed = await changeMember(service, row, { settings, by });
  response.json({ ...memberOf(changed), warnings });
}

/** A member is one machine for good: another one is another member. */
function refuseFixed(former: Readonly<Record<string, unknown>>, body: Readonly<Record<string, unknown>>): void {
  const fixed = ['cloud_provider', 'cloud_instance_id', 'cloud_region'].filter(
    (name) => Object.hasOwn(body, name) && body[name] !== former[name],
  );
  // A region on what is no cloud machine is only ignored, with a warning.
  const meant = former.cloud_instance_id === undefined ? fixed.filter((name) => name !== 'cloud_region') : fixed;
  if (meant.length === 0) return;
  throw invalid(
    meant.map((name) => ({
      type: 'value_error',
      loc: ['body', name],
      msg: 'A member is one machine for good: remove it and register the other one',
      input: body[name] ?? null,
    })),
  );
}

async function remove(service: Service, request: Request, response: Response): Promise<void> {
  const { stop } = readQuery(request, removeQuery);
  const { tenant } = principalOf(request);
  const { id, settings, state } = await getMember(service, tenant, paramOf(request, 'member_id'));
  const runs = settings.cloud !== null && (state === 'running' || state === 'pending');
  if (runs && stop === undefined) throw new Failure('MemberRuns', { name: settings.name, state });
  await accept(service, request, response, {
    operation: 'remove_member',
    resource: settings.name,
    // The store may be behind: the task sees the cloud, and refuses when a machine runs and nobody said what becomes of it.
    params: { member: id, ...(stop !== undefined && { stop: stop === 'true' }) },
  });
}

async function events(service: Service, request: Request, response: Response): Promise<void> {
  await past(request, response, memberEventOf, (tenant, ref, page) => getMemberEvents(service, tenant, ref, page));
}

async function verdicts(service: Service, request: Request, response: Response): Promise<void> {
  await past(request, response, verdictOf, (tenant, ref, page) => getVerdicts(service, tenant, ref, page));
}

/** Answers a page of rows, newest first, and where the older ones are. */
async function past<Row extends { readonly id: number }>(
  request: Request,
  response: Response,
  shown: (row: Row) => unknown,
  find: (tenant: string, ref: string, page: PastPage) => Promise<{ readonly rows: Row[]; readonly more: boolean }>,
): Promise<void> {
  const { limit, cursor } = readQuery(request, memberPastQuery);
  const { tenant } = principalOf(request);
  const page = { limit, ...(cursor !== undefined && { before: cursor }) };
  const { rows, more } = await find(tenant, paramOf(request, 'member_id'), page);
  const last = rows.at(-1);
  if (more && last) {
    const next = new URLSearchParams({ limit: String(limit), cursor: String(last.id) });
    response.set('Link', `<${request.path}?${next.toString()}>; rel="next"`);
  }
  response.json(rows.map(shown));
}

async function snooze(service: Service, request: Request, response: Response): Promise<void> {
  const { body } = readBody(request, snoozeBody);
  const { tenant, principal: by } = principalOf(request);
  const { row, until } = await snoozeFor(service, tenant, paramOf(request, 'member_id'), { minutes: body.minutes, by });
  response.json({ member_id: row.id, snoozed_until: until.toISOString() });
}

const nothing = z.strictObject({});

async function power(
  service: Service,
  request: Request,
  response: Response,
  operation: 'start_instance' | 'stop_instance',
): Promise<void> {
  if (request.body instanceof Uint8Array && request.body.length > 0) readBody(request, nothing);
  const { tenant } = principalOf(request);
  const { settings } = await getMember(service, tenant, paramOf(request, 'member_id'));
  const { cloud, name } = settings;
  if (!cloud) throw new Failure('NotACloudMember', { name, what: operation === 'start_instance' ? 'start' : 'stop' });
  await accept(service, request, response, { operation, resource: name, params: { instance_id: cloud.instanceId } });
}

const anything: z.ZodType<JsonObject> = z.record(z.string(), z.json());

/** Submits work on a member. The body is the operation's parameters without the member, which the path names. */
export async function onMember(
  service: Service,
  request: Request,
  response: Response,
  operation: 'run_command' | 'execute_prompt' | 'provision_member' | 'start_job',
): Promise<void> {
  const empty = request.body instanceof Uint8Array && request.body.length === 0;
  const body = empty && operation === 'provision_member' ? {} : readBody(request, anything).body;
  if (Object.hasOwn(body, 'member')) {
    const msg = 'Extra inputs are not permitted: the path names the member';
    throw invalid([{ type: 'extra_forbidden', loc: ['body', 'member'], msg, input: body.member ?? null }]);
  }
  const { tenant } = principalOf(request);
  const { id, settings } = await getMember(service, tenant, paramOf(request, 'member_id'));
  await accept(service, request, response, { operation, resource: settings.name, params: { ...body, member: id } });
}
