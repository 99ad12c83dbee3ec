// Reads the environment once, by one schema, and freezes it; nothing else looks at process.env.
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError } from './load.ts';

const text = z.string().trim().min(1);
const optionalText = z
  .string()
  .optional()
  .transform((value) => (value === undefined || value.trim() === '' ? undefined : value.trim()));

const envSchema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  HOST: text.default('127.0.0.1'),
  CONFIG_PATH: text.default('config.json'),
  CORS_ORIGINS: z.string().default(''),
  FERMATA_DATA_DIR: text.default('.fermata'),
  FERMATA_ALLOW_OPEN: z.enum(['', '0', '1']).default(''),
  FERMATA_TASK_QUEUE: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'letters, digits, dot, dash and underscore only')
    .default('fermata'),
  DATABASE_URL: optionalText,
  TEMPORAL_ADDRESS: optionalText,
  TEMPORAL_NAMESPACE: text.default('default'),
  AWS_REGION: optionalText,
  AWS_DEFAULT_REGION: optionalText,
  AWS_ENDPOINT_URL_EC2: optionalText,
});

export interface Env {
  readonly port: number;
  readonly host: string;
  readonly configPath: string;
  /** Allowed origins; empty means any. */
  readonly corsOrigins: readonly string[];
  readonly dataDir: string;
  readonly allowOpen: boolean;
  readonly taskQueue: string;
  readonly databaseUrl: string | undefined;
  readonly temporalAddress: string | undefined;
  readonly temporalNamespace: string;
  readonly region: string;
  readonly ec2Endpoint: string | undefined;
  /** Secrets that references may name: the variables FERMATA_SECRET_*, by the rest of their names. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The environment of commands that print a secret: where programs and the home folder are, and nothing else. */
  readonly commandEnv: Readonly<Record<string, string>>;
}

/** Reads the environment. Throws {@link ConfigError} that names the variable. */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const present = Object.fromEntries(Object.entries(source).filter(([, value]) => value?.trim() !== ''));
  const parsed = envSchema.safeParse(present);
  if (!parsed.success) {
    const says = parsed.error.issues.map(
      (issue) => `Invalid environment variable ${issue.path.join('.')}: ${issue.message}`,
    );
    throw new ConfigError(says.join('\n'));
  }
  const env = parsed.data;
  return Object.freeze({
    port: env.PORT,
    host: env.HOST,
    configPath: resolve(env.CONFIG_PATH),
    corsOrigins: Object.freeze(originsOf(env.CORS_ORIGINS)),
    dataDir: resolve(env.FERMATA_DATA_DIR),
    allowOpen: env.FERMATA_ALLOW_OPEN === '1',
    taskQueue: env.FERMATA_TASK_QUEUE,
    databaseUrl: env.DATABASE_URL,
    temporalAddress: env.TEMPORAL_ADDRESS,
    temporalNamespace: env.TEMPORAL_NAMESPACE,
    region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1',
    ec2Endpoint: env.AWS_ENDPOINT_URL_EC2,
    secrets: Object.freeze(secretsOf(present)),
    commandEnv: Object.freeze({ PATH: present.PATH ?? '', HOME: present.HOME ?? '' }),
  });
}

const SECRET_PREFIX = 'FERMATA_SECRET_';

function secretsOf(present: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(present).flatMap(([name, value]) =>
      name.startsWith(SECRET_PREFIX) && value !== undefined ? [[name.slice(SECRET_PREFIX.length), value]] : [],
    ),
  );
}

function originsOf(list: string): string[] {
  const origins = list
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  return origins.includes('*') ? [] : origins;
}

/** Where a path of config.json stands: relative ones are in the data folder, so that nothing is written outside it. */
export function dataPath(env: Env, path: string): string {
  return resolve(join(env.dataDir), path);
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

/** The sentence that refuses to listen where anybody could reach an API without authentication; undefined when fine. */
export function hostFlaw(env: Env): string | undefined {
  if (env.allowOpen || LOOPBACK.test(env.host)) return undefined;
  return (
    `HOST=${env.host} would let anybody on the network submit and approve: without authentication the API listens ` +
    `on loopback only. Put a proxy that authenticates in front of it and set FERMATA_ALLOW_OPEN=1, or leave HOST out.`
  );
}
