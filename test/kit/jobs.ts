// Jobs in a test: started over HTTP, and read until they are as they should be.
import { z } from 'zod';
import { ask, ended } from './members.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

const attempt = z.looseObject({
  launch: z.number(),
  attempt: z.number(),
  exit_code: z.number().nullable(),
  started: z.string(),
  ended: z.string(),
});
const job = z.looseObject({
  job_id: z.string(),
  member_id: z.string(),
  status: z.string(),
  phase: z.string(),
  reason: z.string().nullable(),
  exit_code: z.number().nullable(),
  retries: z.number(),
  launches: z.number(),
  queue_position: z.number().nullish(),
  attempts: z.array(attempt).optional(),
  log_tail: z.string().optional(),
});
export type Job = z.output<typeof job>;

const ENDS = ['completed', 'failed', 'cancelled', 'lost'];

/** Starts a job on a member. Returns its id as soon as it is accepted. */
export async function startJob(
  system: System,
  ref: string,
  command: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const task = await ended(system, await ask(system, ref, 'jobs', { command, ...more }));
  if (task.status !== 'COMPLETED') throw new Error(`start_job on ${ref}: ${JSON.stringify(task)}`);
  return z.looseObject({ job_id: z.string() }).parse(task.result).job_id;
}

/** A job as it is now. */
export async function jobNow({ api }: System, id: string): Promise<Job> {
  const { status, body, text } = await api.call('GET', `/api/v1/jobs/${id}`);
  if (status !== 200) throw new Error(`GET job ${id}: ${status} ${text}`);
  return job.parse(body);
}

/** Waits until a job is in one of these states. */
export async function jobIs(system: System, id: string, states: readonly string[], timeoutMs = 60_000): Promise<Job> {
  let last: Job | undefined;
  const found = await until(
    `job ${id} is ${states.join(' or ')}`,
    async () => {
      last = await jobNow(system, id);
      return [...states, ...ENDS].includes(last.status) && last;
    },
    timeoutMs,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
  });
  if (states.includes(found.status)) return found;
  throw new Error(`job ${id} ended otherwise: ${JSON.stringify(found)}`);
}

/** Waits until a job has ended. */
export function jobEnds(system: System, id: string, timeoutMs = 90_000): Promise<Job> {
  return jobIs(system, id, ENDS, timeoutMs);
}

/** The whole log as it is kept. */
export async function logOf({ api }: System, id: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let offset = 0; ;) {
    const response = await fetch(`${api.url}/api/v1/jobs/${id}/log?offset=${offset}&limit=1048576`);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (bytes.length === 0) return Buffer.concat(parts);
    parts.push(bytes);
    offset = Number(response.headers.get('x-log-offset')) + bytes.length;
  }
}

const event = z.looseObject({ status: z.string(), says: z.string(), by: z.string() });

/** What happened to a job. */
export async function jobEvents({ api }: System, id: string): Promise<z.output<typeof event>[]> {
  return z.array(event).parse((await api.call('GET', `/api/v1/jobs/${id}/events`)).body);
}
