// Reads temporal-docker-compose.yml and the Dockerfile as data, for the tests that check them without an engine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../../config/paths.ts';

export const composePath = join(packageRoot, 'temporal-docker-compose.yml');

const condition = z.enum(['service_healthy', 'service_completed_successfully']);
const service = z.looseObject({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  ports: z.array(z.string()).default([]),
  restart: z.string(),
  stop_grace_period: z.string().optional(),
  depends_on: z.record(z.string(), z.object({ condition })).default({}),
  healthcheck: z
    .object({ test: z.array(z.string()), interval: z.string(), timeout: z.string() })
    .loose()
    .optional(),
});
export type ComposeService = z.output<typeof service>;

const compose = z.looseObject({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.unknown()) });

/** The file with its anchors and merges resolved, its variables not. */
export function readCompose(): z.output<typeof compose> {
  return compose.parse(parse(readFileSync(composePath, 'utf8'), { merge: true }));
}

/** A service of the file. Throws when it is not there. */
export function serviceNamed(name: string): ComposeService {
  const found = readCompose().services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

/** `${NAME:-default}` and `${NAME:?message}` as Compose resolves them. */
export function interpolated(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, more = '') => {
    const value = env[name];
    if (value !== undefined && value !== '') return value;
    if (kind === '?') throw new Error(`${name}: ${more}`);
    return more;
  });
}

export interface Stage {
  readonly image: string;
  readonly lines: readonly string[];
}

/** The stages of the Dockerfile, one instruction a line. */
export function readDockerfile(): Stage[] {
  const text = readFileSync(join(packageRoot, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
  const stages: { image: string; lines: string[] }[] = [];
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const image = /^FROM (\S+)/.exec(line)?.[1];
    if (image === undefined) stages.at(-1)?.lines.push(line);
    else stages.push({ image, lines: [] });
  }
  return stages;
}

/** What the lines copy from the clone into the image. */
export function copiedFromClone(lines: readonly string[]): string[] {
  return lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));
}
