// The REST contract as its callers use it.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';

const task = z.looseObject({
  task_id: z.string(),
  operation: z.string(),
  resource: z.string(),
  status: z.string(),
  result: z.record(z.string(), z.unknown()).nullable(),
  error: z.string().nullable(),
  created_at: z.number(),
  updated_at: z.number(),
  phase: z.string(),
  reason: z.string().nullable(),
  plan_digest: z.string().nullable(),
  decided_by: z.string().nullable(),
  approve_by: z.string().nullable(),
  attempts: z.number().nullable(),
  plan: z.looseObject({ says: z.string(), digest: z.string(), steps: z.array(z.unknown()) }).nullish(),
});
export type TaskAnswer = z.output<typeof task>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  readonly text: string;
}

export interface Api {
  readonly url: string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Submits and returns the id; throws when it is not a 202. */
  submit(operation: string, params: Record<string, unknown>, headers?: Record<string, string>): Promise<string>;
  get(id: string): Promise<TaskAnswer>;
  confirm(id: string, confirmed: boolean, more?: Record<string, unknown>): Promise<Answer>;
  cancel(id: string, query?: string): Promise<Answer>;
  /** Waits until the task has one of these statuses. */
  reach(id: string, ...statuses: string[]): Promise<TaskAnswer>;
  /** Waits until the task has ended. */
  end(id: string): Promise<TaskAnswer>;
  list(query?: string): Promise<TaskAnswer[]>;
  events(id: string): Promise<Record<string, unknown>[]>;
}

const REACH_MS = 60_000;

/** A client of the API at a URL. */
export function apiAt(url: string): Api {
  const call: Api['call'] = async (method, path, body, headers = {}) => {
    const json = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method,
      redirect: 'manual',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: json ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  };
  const get = async (id: string) => {
    const { status, body, text } = await call('GET', `/api/v1/tasks/${id}`);
    if (status !== 200) throw new Error(`GET task: ${status} ${text}`);
    return task.parse(body);
  };
  const reach = async (id: string, ...statuses: string[]) => {
    const deadline = Date.now() + REACH_MS;
    for (;;) {
      const seen = await get(id);
      if (statuses.includes(seen.status)) return seen;
      if (Date.now() > deadline || ['COMPLETED', 'FAILED', 'TERMINATED'].includes(seen.status)) {
        throw new Error(`task ${id} is ${JSON.stringify(seen)}, not ${statuses.join(' or ')}`);
      }
      await pause(20);
    }
  };
  return {
    url,
    call,
    get,
    reach,
    submit: async (operation, params, headers) => {
      const { status, body, text } = await call(
        'POST',
        '/api/v1/tasks',
        { operation, resource: 'test', params },
        headers,
      );
      if (status !== 202) throw new Error(`submit: ${status} ${text}`);
      return z.looseObject({ task_id: z.string() }).parse(body).task_id;
    },
    confirm: (id, confirmed, more = {}) => call('POST', `/api/v1/tasks/${id}/confirm`, { confirmed, ...more }),
    cancel: (id, query = '') => call('DELETE', `/api/v1/tasks/${id}${query}`),
    end: (id) => reach(id, 'COMPLETED', 'FAILED', 'TERMINATED'),
    list: async (query = '') => z.array(task).parse((await call('GET', `/api/v1/tasks${query}`)).body),
    events: async (id) =>
      z.array(z.record(z.string(), z.unknown())).parse((await call('GET', `/api/v1/tasks/${id}/events`)).body),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
