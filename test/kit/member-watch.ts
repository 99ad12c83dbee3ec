// What tests of members watch: what was judged and said of a member, the tasks about it, and what the cloud did to it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { EffectLine } from './cloud.ts';
import type { System } from './system.ts';

const events = z.array(
  z.looseObject({ kind: z.string(), says: z.string(), at: z.string(), by: z.string(), detail: z.unknown() }),
);
export type MemberEvent = z.output<typeof events>[number];

const verdicts = z.array(
  z.looseObject({ at: z.string(), verdict: z.string(), next: z.string(), reasons: z.array(z.string()) }),
);
export type Verdict = z.output<typeof verdicts>[number];

const task = z.looseObject({
  task_id: z.string(),
  resource: z.string(),
  status: z.string(),
  phase: z.string(),
  requested_by: z.string(),
});
export type ListedTask = z.output<typeof task>;

const detail = z.looseObject({
  host: z.string().nullable(),
  state: z.string().nullable(),
  ready_note: z.string().nullable(),
  ready_runs: z.array(z.looseObject({ name: z.string(), ok: z.boolean(), output: z.string(), attempts: z.number() })),
});

/** The events of a kind, newest first. */
export async function eventsOf({ api }: System, ref: string, kind: string): Promise<MemberEvent[]> {
  const { body } = await api.call('GET', `/api/v1/members/${ref}/events`);
  return events.parse(body).filter((event) => event.kind === kind);
}

/** The judgements of the idle sweep, newest first; `since` leaves out older ones. */
export async function verdictsOf({ api }: System, ref: string, since: Date = new Date(0)): Promise<Verdict[]> {
  const { body } = await api.call('GET', `/api/v1/members/${ref}/verdicts?limit=100`);
  return verdicts.parse(body).filter(({ at }) => new Date(at) > since);
}

export async function detailOf({ api }: System, ref: string): Promise<z.output<typeof detail>> {
  return detail.parse((await api.call('GET', `/api/v1/members/${ref}`)).body);
}

/** The tasks of an operation that name this resource, oldest first. */
export async function tasksOn({ api }: System, operation: string, resource: string): Promise<ListedTask[]> {
  const { body } = await api.call('GET', `/api/v1/tasks?operation=${operation}&limit=200`);
  return z
    .array(task)
    .parse(body)
    .filter((each) => each.resource === resource);
}

/** The calls of an action that named this instance and really changed it, oldest first, with when each was made. */
export function changesOf({ cloud }: System, action: string, instanceId: string): (EffectLine & { at: Date })[] {
  return cloud
    .effects(action)
    .filter(({ changed = [] }) => changed.includes(instanceId))
    .map((effect) => ({ ...effect, at: new Date(z.string().parse(effect['at'])) }));
}

/** A command that goes on until {@link release}, and then says `done`. */
export const UNTIL_RELEASED = 'until [ -e ~/released ]; do sleep 0.2; done; echo done';

/** Ends {@link UNTIL_RELEASED} on a machine, past Fermata: what is asked of that would count as use. */
export function release({ dir }: System, instanceId: string): void {
  writeFileSync(join(dir, 'sandbox', 'hosts', instanceId, 'home', 'released'), '');
}
