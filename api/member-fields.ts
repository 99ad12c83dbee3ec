// The fields of a member as callers send them, with the rule of each.
import { z } from 'zod';
import { GIT_ACCESS, isMemberId, LLM_PROVIDERS, nameKey, ON_UNKNOWN } from '../domain/member.ts';
import { READY_KINDS } from '../domain/ready.ts';

const oneLine = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^[^<>\n\r]+$/, 'Input should be one line without < and >');
const absolute = oneLine.regex(/^\//, 'Input should be an absolute path');
const port = z.int().min(1).max(65_535);
const hostName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9:][A-Za-z0-9.:_-]*$/, 'Input should be a host name or an address');
const userName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, 'Input should be the name of a user');
const fingerprint = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'Input should look like SHA256:... as ssh-keygen -l prints it');
const secretRef = z.union([
  z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/) }),
  z.strictObject({ file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/) }),
  z.strictObject({ command: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/) }),
]);
const secrets = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), secretRef);

const readyStep = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/),
  kind: z.enum(READY_KINDS),
  command: z.string().min(1).max(8_192).optional(),
  content: z.string().max(32_768).optional(),
  path: z
    .string()
    .min(1)
    .max(512)
    .regex(/^[^\n\r]+$/)
    .optional(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .optional(),
  secrets: secrets.optional(),
  timeout_s: z.int().min(1).max(3_600).default(60),
  retries: z.int().min(0).max(10).default(2),
  when: z.enum(['every_boot', 'first_boot', 'always']).default('every_boot'),
  required: z.boolean().default(false),
  verify: z.string().min(1).max(8_192).optional(),
  expires_in_s: z
    .int()
    .min(60)
    .max(30 * 86_400)
    .optional(),
  undo: z.string().min(1).max(8_192).optional(),
});

/** What a member is registered with; every answer has the same fields. */
export const memberBody = z
  .strictObject({
    friendly_name: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[a-zA-Z0-9._-]+$/, 'Input should be letters, digits, dot, dash and underscore')
      // No path leads to such a member.
      .refine(
        (name) => !isMemberId(nameKey(name)) && name !== '.' && name !== '..',
        'Input should be neither a UUID nor a path',
      ),
    member_type: z.enum(['remote', 'local']).default('remote'),
    os: z.string().max(64).default('linux'),
    host: hostName.optional(),
    port: port.default(22),
    username: userName.optional(),
    auth_type: z.enum(['key', 'password']).optional(),
    key_path: absolute.optional(),
    password: secretRef.optional(),
    work_folder: absolute,
    git_access: z.enum(GIT_ACCESS).optional(),
    git_repos: z.array(z.string().min(1).max(256)).max(100).default([]),
    llm_provider: z.enum(LLM_PROVIDERS).default('none'),
    category: z.string().min(1).max(64).optional(),
    tags: z.array(z.string().min(1).max(64)).max(10).default([]),
    guarded: z.boolean().default(false),
    address: z.enum(['public', 'private']).default('public'),
    jump: z
      .strictObject({
        host: hostName,
        port: port.default(22),
        username: userName,
        key_path: absolute,
        host_key: fingerprint,
      })
      .optional(),
    host_key_policy: z.enum(['console', 'tofu']).default('console'),
    host_key: fingerprint.optional(),
    ready_steps: z.array(readyStep).max(20).default([]),
    job_slots: z.int().min(1).max(64).default(1),
    cloud_provider: z.literal('aws', 'Only aws is supported; other clouds are planned').optional(),
    cloud_instance_id: z
      .string()
      .regex(/^i-[0-9a-f]{8,17}$/, 'Input should look like i-0123456789abcdef0')
      .optional(),
    cloud_region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+){1,3}-\d+$/, 'Input should look like us-east-1')
      .optional(),
    cloud_profile: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[\w.@+-]+$/)
      .optional(),
    cloud_idle_timeout_min: z.number().min(1).max(1_440).optional(),
    cloud_activity_command: z.string().min(1).max(8_192).optional(),
    cloud_max_run_min: z.number().min(1).max(525_600).optional(),
    cloud_guard_min: z.number().min(5).max(1_440).optional(),
    cloud_on_unknown: z.enum(ON_UNKNOWN).optional(),
  })
  .meta({ id: 'Member' });

export type MemberBody = z.output<typeof memberBody>;

/** A change of a member: any field; an empty string or null clears an optional one. */
export const memberPatch = z.record(z.string(), z.unknown()).meta({ id: 'MemberPatch' });

export const memberListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  cursor: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/)
    .optional(),
});

/** What happened to a member, and what was judged of it, newest first: the cursor is the last row of the former page. */
export const memberPastQuery = z.object({
  limit: memberListQuery.shape.limit,
  cursor: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
});

export const snoozeBody = z.strictObject({ minutes: z.number().positive() });

export const removeQuery = z.object({ stop: z.enum(['true', 'false']).optional() });
