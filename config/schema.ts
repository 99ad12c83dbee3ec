// The schema of config.json: the keys callers know, with the same names, and Fermata's own, all of them optional.
import { z } from 'zod';
import { UNDO_POLICIES } from '../domain/task.ts';

/** A day is longer than any operation here takes, and longer than anybody waits for a decision without a window. */
const seconds = z
  .number()
  .positive()
  // Temporal counts in milliseconds.
  .min(0.001)
  .max(7 * 86_400);

const minutes = z.number().min(0.1).max(43_200);

const secretRef = z.union([
  z.strictObject({ env: z.string().min(1) }),
  z.strictObject({ file: z.string().min(1) }),
  z.strictObject({ command: z.string().min(1) }),
]);

/** Claims and tokens go there, so that they are sent in the clear at most within this machine. */
const apiUrl = z
  .string()
  .refine(isApiUrl, 'it must be an https:// address without a query; http:// is for this machine alone')
  .transform((text) => text.replace(/\/+$/, ''));

/** True for this machine itself, by a host as `URL` writes it. */
export function isLoopback(hostname: string): boolean {
  return /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(hostname);
}

function isApiUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, search, hash } = new URL(text);
  return (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))) && username + search + hash === '';
}

const GITHUB_TOKEN_S = 3_600;

/** A short-lived token for the repositories of a member. */
const vcsToken = z
  .strictObject({
    host: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,253}$/)
      .default('github.com'),
    /** Where it is; a command is told of the member's access and repositories in its environment. */
    secret: secretRef.optional(),
    /** Or the App that makes one for each member. */
    github_app: z
      .strictObject({
        api_url: apiUrl.default('https://api.github.com'),
        app_id: z.union([z.int().positive(), z.string().regex(/^[A-Za-z0-9._-]{1,64}$/)]),
        installation_id: z.int().positive(),
        private_key: secretRef,
      })
      .optional(),
    expires_in_s: z.int().min(60).max(86_400).default(3_300),
  })
  .refine(
    ({ secret, github_app }) => (secret === undefined) !== (github_app === undefined),
    'give secret (where the token is) or github_app (who makes it), and not both',
  )
  .refine(
    ({ github_app, expires_in_s }) => github_app === undefined || expires_in_s <= GITHUB_TOKEN_S,
    `expires_in_s must be at most ${GITHUB_TOKEN_S} with github_app: its tokens are good for an hour`,
  );

const usd = z.number().min(0).max(1e9);

/** What machines may cost; days and months are counted in UTC, as AWS bills. */
const budget = z
  .strictObject({ per: z.enum(['day', 'month']), warn_usd: usd.optional(), stop_usd: usd.optional() })
  .refine(
    ({ warn_usd, stop_usd }) => warn_usd !== undefined || stop_usd !== undefined,
    'give warn_usd, stop_usd or both',
  )
  .refine(({ warn_usd = 0, stop_usd = Infinity }) => warn_usd <= stop_usd, 'warn_usd must not be above stop_usd');

const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;

export const configSchema = z.strictObject({
  high_risk_operations: z.array(z.string().min(1)),
  /** `destroy` operations that may run without a decision. */
  allow_unguarded: z.array(z.string().min(1)).default([]),
  confirmation: z.strictObject({
    timeout_seconds: seconds,
    /** Read by an older console only; required because callers' files and tools know them as required. */
    prompt_template: z.string().optional(),
    confirm_token: z.string().optional(),
  }),
  execution: z.strictObject({
    max_retries: z.int().min(0).max(100),
    retry_delay_seconds: z.number().positive().max(3600),
    task_timeout_seconds: seconds,
    /** Operations that need longer, or must give up sooner, than `task_timeout_seconds`. */
    operation_timeout_seconds: z.record(z.string(), seconds).default({}),
    /** How long a task waits for a target that another task is changing. */
    lease_wait_seconds: seconds.default(600),
    undo: z.enum(UNDO_POLICIES).default('failure'),
  }),
  /** Programs on members that take a prompt on their input, by name: for `execute_prompt`. */
  agents: z.record(z.string().min(1), z.strictObject({ command: z.string().min(1).max(8_192) })).default({}),
  secrets: z
    .strictObject({
      /** Where `{"file": name}` is looked for; a relative path is in the data folder. */
      folder: z.string().min(1).default('secrets'),
      /** Program and arguments for `{"command": name}`: what it prints is the secret. */
      commands: z.record(z.string().min(1), z.array(z.string()).min(1)).default({}),
    })
    .prefault({}),
  /** What the shipped ready steps bring to members; without it they are left out. */
  provision: z
    .strictObject({
      /** For each `llm_provider`, variables by name and where their values are. */
      agent_auth: z
        .record(z.string().min(1), z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), secretRef))
        .default({}),
      vcs_token: vcsToken.optional(),
    })
    .prefault({}),
  machines: z
    .strictObject({
      /** How long a machine that runs may take to answer by SSH. */
      reach_seconds: seconds.default(600),
      /** How long a start is tried again while the cloud has no capacity. */
      capacity_seconds: seconds.default(900),
    })
    .prefault({}),
  /** How idle members are found and stopped; what a member says itself comes first. */
  idle: z
    .strictObject({
      /** Shortens every minute that idleness counts, for tests and first tries; refused against real AWS. */
      time_scale: z.number().gt(0).max(1).default(1),
      grace_minutes: minutes.default(2),
      /** How long it may be unknown whether a machine works, before somebody is told. */
      unknown_minutes: minutes.default(60),
      max_snooze_minutes: minutes.default(1_440),
      gpu_busy_percent: z.number().min(0).max(100).default(5),
      /** Null where it tells nothing, such as on machines that share their processors with others. */
      cpu_busy_percent: z.number().min(0).max(100).nullable().default(20),
      network_busy_bytes_per_second: z.number().min(0).nullable().default(1_000_000),
      /** Programs whose running means use, by the exact name of their process. */
      process_names: z.array(z.string().min(1).max(64)).max(64).default([]),
      keep_verdicts_hours: z.number().min(1).max(8_760).default(48),
    })
    .prefault({}),
  /** Prices of this account, in place of the dated tables in the package: types that are not named keep the table's. */
  prices: z
    .strictObject({
      as_of: z.iso.date(),
      usd_per_hour: z.record(z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/), usd).default({}),
      usd_per_gib_month: z.record(z.string().regex(/^[a-z0-9]+$/), usd).default({}),
    })
    .optional(),
  /** Machine time of each member, and of all members of a tenant together. */
  budgets: z.strictObject({ member: budget.optional(), tenant: budget.optional() }).prefault({}),
  /** How long what a job leaves is kept: its folder on the machine, and here its log and its artifacts. */
  jobs: z
    .strictObject({
      keep_success_hours: z.number().min(0).max(8_760).default(1),
      keep_other_hours: z.number().min(0).max(8_760).default(168),
      keep_log_days: z.number().min(0).max(3_650).default(30),
    })
    .prefault({}),
  logging: z
    .strictObject({
      level: z
        .string()
        .transform((level) => level.toUpperCase())
        .pipe(z.enum(LOG_LEVELS))
        .default('INFO'),
      audit_log_path: z.string().min(1).default('logs/audit.log'),
    })
    .prefault({}),
  temporal: z
    .strictObject({
      /** False where the namespace may not be given Fermata's search attributes. */
      search_attributes: z.boolean().default(true),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
