// A member's settings from the body that callers send, with the rules between fields, and back again.
import type { Issue } from '../domain/failures.ts';
import type { CloudBlock, MemberSettings } from '../domain/member.ts';
import { SHIPPED_STEPS, VARIABLE_LINE } from '../domain/ready.ts';
import { invalid } from './errors.ts';
import type { MemberBody } from './member-fields.ts';

const CLOUD_ONLY = [
  'cloud_region',
  'cloud_profile',
  'cloud_idle_timeout_min',
  'cloud_activity_command',
  'cloud_max_run_min',
  'cloud_guard_min',
  'cloud_on_unknown',
] as const;

/**
 * The settings that a body asks for, and warnings about fields that mean nothing on this member. Throws
 * `InvalidRequest` for fields that do not go together.
 */
export function settingsOf(body: MemberBody): { readonly settings: MemberSettings; readonly warnings: string[] } {
  const issues = together(body);
  if (issues.length > 0) throw invalid(issues);
  const ignored = body.cloud_instance_id === undefined ? CLOUD_ONLY.filter((name) => body[name] !== undefined) : [];
  const warnings =
    ignored.length === 0 ? [] : [`Warning: cloud fields (${ignored.join(', ')}) are ignored for non-cloud members.`];
  const { jump } = body;
  const settings: MemberSettings = {
    name: body.friendly_name,
    host: body.host ?? null,
    port: body.port,
    username: body.username ?? '',
    auth: body.password ? { kind: 'password', password: body.password } : { kind: 'key', path: body.key_path ?? '' },
    workFolder: body.work_folder,
    gitAccess: body.git_access ?? null,
    gitRepos: body.git_repos,
    llmProvider: body.llm_provider,
    category: body.category ?? null,
    tags: body.tags,
    guarded: body.guarded,
    address: body.address,
    jump: jump
      ? { host: jump.host, port: jump.port, username: jump.username, keyPath: jump.key_path, hostKey: jump.host_key }
      : null,
    hostKeyPolicy: body.host_key_policy,
    hostKey: body.host_key ?? null,
    readySteps: body.ready_steps.map(({ timeout_s: timeoutS, expires_in_s: expiresInS, ...step }) => ({
      ...step,
      timeoutS,
      expiresInS,
    })),
    jobSlots: body.job_slots,
    cloud: cloudOf(body),
  };
  return { settings, warnings };
}

function cloudOf(body: MemberBody): CloudBlock | null {
  if (body.cloud_instance_id === undefined) return null;
  return {
    provider: 'aws',
    instanceId: body.cloud_instance_id,
    region: body.cloud_region ?? 'us-east-1',
    profile: body.cloud_profile ?? null,
    idleTimeoutMin: body.cloud_idle_timeout_min ?? 30,
    activityCommand: body.cloud_activity_command ?? null,
    maxRunMin: body.cloud_max_run_min ?? null,
    guardMin: body.cloud_guard_min ?? null,
    onUnknown: body.cloud_on_unknown ?? 'hold',
  };
}

const AUTH_KEYS = { key: 'key_path', password: 'password' } as const;

/** What one field asks of another. */
function together(body: MemberBody): Issue[] {
  const { cloud_instance_id: instance, cloud_provider: provider } = body;
  const issues: Issue[] = [];
  const refuse = (field: string, msg: string, type = 'value_error') => {
    issues.push({ type, loc: ['body', field], msg, input: Reflect.get(body, field) ?? null });
  };
  if (body.member_type === 'local') {
    refuse('member_type', 'A worker may run anywhere: register this machine as remote, with the host it is reached at');
  }
  if (!/^linux$/i.test(body.os)) {
    refuse(
      'os',
      `Only Linux machines are supported, not ${body.os}: their shell, processes and clocks are what Fermata reads`,
    );
  }
  if ((instance === undefined) !== (provider === undefined)) {
    const missing = instance === undefined ? 'cloud_instance_id' : 'cloud_provider';
    refuse(missing, 'cloud_provider and cloud_instance_id go together', 'missing');
  }
  if (instance === undefined && body.host === undefined) {
    refuse('host', 'A member without a cloud instance needs a host', 'missing');
  }
  if (body.username === undefined) refuse('username', 'Field required: who logs in by SSH', 'missing');
  const kind = body.auth_type ?? (body.password ? 'password' : 'key');
  const needed = AUTH_KEYS[kind];
  if (body[needed] === undefined) refuse(needed, `Field required where auth_type is ${kind}`, 'missing');
  const other = AUTH_KEYS[kind === 'key' ? 'password' : 'key'];
  if (body[other] !== undefined) refuse(other, `Only one of key_path and password goes with auth_type ${kind}`);
  const names = body.ready_steps.map(({ name }) => name);
  if (new Set([...SHIPPED_STEPS, ...names]).size < SHIPPED_STEPS.length + names.length) {
    refuse('ready_steps', `Names of ready steps must differ, and not be ${SHIPPED_STEPS.join(', ')}`);
  }
  body.ready_steps.forEach((step, index) => issues.push(...flawsOf(step, index)));
  return issues;
}

const NEEDS = {
  exec: ['command'],
  put_file: ['path', 'content'],
  secret_file: ['path', 'secrets'],
  env: ['content'],
  http: ['command'],
} as const;

function flawsOf(step: MemberBody['ready_steps'][number], index: number): Issue[] {
  const loc = (field: string) => ['body', 'ready_steps', index, field];
  const missing = NEEDS[step.kind].filter((field) => step[field] === undefined);
  const issues: Issue[] = missing
    .filter((field) => !(step.kind === 'env' && field === 'content' && step.secrets !== undefined))
    .map((field) => ({ type: 'missing', loc: loc(field), msg: `Field required for kind ${step.kind}`, input: null }));
  if (step.kind === 'http' && !/^https?:\/\/[^\s'"]+$/.test(step.command ?? '')) {
    issues.push({ type: 'value_error', loc: loc('command'), msg: 'Input should be an http or https URL', input: null });
  }
  if (step.kind === 'secret_file' && Object.keys(step.secrets ?? {}).length !== 1) {
    issues.push({
      type: 'value_error',
      loc: loc('secrets'),
      msg: 'A secret file holds exactly one secret',
      input: null,
    });
  }
  const lines = step.kind === 'env' ? (step.content ?? '').split('\n') : [];
  const at = lines.findIndex((line) => !/^\s*(#|$)/.test(line) && !VARIABLE_LINE.test(line));
  if (at >= 0) {
    const msg = `Line ${at + 1} should be NAME=value, without export and without spaces around the name`;
    issues.push({ type: 'value_error', loc: loc('content'), msg, input: null });
  }
  return issues;
}

/** Settings as a body that gives the same settings again; absent fields are left out. */
export function bodyOf({
  cloud,
  auth,
  jump,
  readySteps,
  ...settings
}: MemberSettings): Readonly<Record<string, unknown>> {
  return withoutNulls({
    friendly_name: settings.name,
    member_type: 'remote',
    os: 'linux',
    host: settings.host,
    port: settings.port,
    username: settings.username,
    auth_type: auth.kind,
    key_path: auth.kind === 'key' ? auth.path : null,
    password: auth.kind === 'password' ? auth.password : null,
    work_folder: settings.workFolder,
    git_access: settings.gitAccess,
    git_repos: settings.gitRepos,
    llm_provider: settings.llmProvider,
    category: settings.category,
    tags: settings.tags,
    guarded: settings.guarded,
    address: settings.address,
    jump: jump && {
      host: jump.host,
      port: jump.port,
      username: jump.username,
      key_path: jump.keyPath,
      host_key: jump.hostKey,
    },
    host_key_policy: settings.hostKeyPolicy,
    host_key: settings.hostKey,
    ready_steps: readySteps.map(({ timeoutS, expiresInS, ...step }) =>
      withoutNulls({ ...step, timeout_s: timeoutS, expires_in_s: expiresInS ?? null }),
    ),
    job_slots: settings.jobSlots,
    cloud_provider: cloud && cloud.provider,
    cloud_instance_id: cloud && cloud.instanceId,
    cloud_region: cloud && cloud.region,
    cloud_profile: cloud && cloud.profile,
    cloud_idle_timeout_min: cloud && cloud.idleTimeoutMin,
    cloud_activity_command: cloud && cloud.activityCommand,
    cloud_max_run_min: cloud && cloud.maxRunMin,
    cloud_guard_min: cloud && cloud.guardMin,
    cloud_on_unknown: cloud && cloud.onUnknown,
  });
}

function withoutNulls(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined));
}
