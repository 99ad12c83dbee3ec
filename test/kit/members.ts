// Members in a test: registered over HTTP on instances of the sandbox, and commands on them to their end.
import { mkdirSync } from 'node:fs';
import { z } from 'zod';
import { homeOf } from './hosts.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

const sshInfo = z.object({ username: z.string(), key_path: z.string(), port: z.number() });
export const member = z.looseObject({
  member_id: z.string(),
  friendly_name: z.string(),
  host: z.string().nullish(),
  state: z.string().nullable(),
  warnings: z.array(z.string()).optional(),
});
export type Member = z.output<typeof member>;

const task = z.looseObject({
  status: z.string(),
  phase: z.string(),
  reason: z.string().nullable(),
  error: z.string().nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
});
export type EndedTask = z.output<typeof task>;

/** The fields that every member of the sandbox needs, and what a test adds. */
export function bodyOn(
  { cloud }: System,
  name: string,
  instanceId: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { username, key_path, port } = sshInfo.parse(cloud.process.ready.ssh);
  return {
    friendly_name: name,
    cloud_provider: 'aws',
    cloud_instance_id: instanceId,
    username,
    key_path,
    port,
    work_folder: '/tmp',
    ...more,
  };
}

/** Registers an instance, by its Name, as a member of the same name. */
export async function register(
  system: System,
  instance: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Member> {
  const id = await system.cloud.idOf(instance);
  const { status, body, text } = await system.api.call('POST', '/api/v1/members', bodyOn(system, instance, id, more));
  if (status !== 201) throw new Error(`register ${instance}: ${status} ${text}`);
  return member.parse(body);
}

export interface Machine {
  readonly instanceId: string;
  /** Its home, which is its work folder, as a folder of this machine. */
  readonly home: string;
  readonly member: string;
}

/** Makes an instance and registers it as a member of the same name. */
export async function makeMachine(
  system: System,
  name: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Machine> {
  const instanceId = await system.cloud.make(name);
  const home = homeOf(system, instanceId);
  mkdirSync(home, { recursive: true });
  const { member_id: member } = await register(system, name, { work_folder: home, ...more });
  return { instanceId, home, member };
}

/** Has a member be looked for at another port: a link that is open stays as it is, a new one is not answered. */
export async function movePort({ db }: System, name: string, by: number): Promise<void> {
  await db.query(
    `update members set settings = jsonb_set(settings, '{port}', to_jsonb((settings->>'port')::int + $2))
     where settings->>'name' = $1`,
    [name, by],
  );
}

/** Submits work on a member by one of its routes. Returns the task's id. */
export async function ask(
  { api }: System,
  ref: string,
  route: string,
  body: Readonly<Record<string, unknown>>,
): Promise<string> {
  const answer = await api.call('POST', `/api/v1/members/${ref}/${route}`, body);
  if (answer.status !== 202) throw new Error(`${route} on ${ref}: ${answer.status} ${answer.text}`);
  return z.object({ task_id: z.string() }).parse(answer.body).task_id;
}

/** Waits until a task has ended. */
export async function ended({ api }: System, id: string, timeoutMs = 60_000): Promise<EndedTask> {
  let last: EndedTask | undefined;
  await until(
    `task ${id} ends`,
    async () => {
      const { body } = await api.call('GET', `/api/v1/tasks/${id}`, undefined, { prefer: 'wait=10' });
      last = task.parse(body);
      return ['COMPLETED', 'FAILED', 'TERMINATED'].includes(last.status);
    },
    timeoutMs,
  );
  if (!last) throw new Error('unreachable');
  return last;
}

/** Runs a command on a member to its end. */
export async function run(
  system: System,
  ref: string,
  command: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<EndedTask> {
  return ended(system, await ask(system, ref, 'commands', { command, ...more }));
}
