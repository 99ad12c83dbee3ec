// Registering, changing and reading members; what only a worker can see is asked for there.
import { randomUUID } from 'node:crypto';
import type { Queries } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import type { InstanceLook, MemberTry } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import type { MemberSettings } from '../domain/member.ts';
import { usdPerHour } from '../domain/prices.ts';
import type { MemberEventRow, PastPage } from '../store/member-events.ts';
import type { MemberRow, Taken } from '../store/members.ts';
import { eventsOfMember, noteMember } from '../store/member-events.ts';
import { observeMember } from '../store/member-observed.ts';
import { slotHolders } from '../store/jobs.ts';
import {
  findMember,
  insertMember,
  listMembers,
  memberOnInstance,
  nameAndRegionOf,
  updateMember,
} from '../store/members.ts';
import type { Service } from './open.ts';

export type { MemberEventRow, MemberRow, PastPage };

/** A registration looks for this long, ms: the caller waits, and a warning is as good. */
const LOOK_MS = 15_000;

export interface Registered {
  readonly row: MemberRow;
  readonly warnings: readonly string[];
}

/**
 * Registers a member after a look at its instance. Throws `MemberExists`, and `MemberUnusable` for an instance that is
 * terminated; everything else that is wrong is a warning.
 */
export async function registerMember(
  service: Service,
  {
    tenant,
    principal: by,
    settings,
  }: { readonly tenant: string; readonly principal: string; readonly settings: MemberSettings },
): Promise<Registered> {
  const { postgres } = service;
  if (await reaching(findMember(postgres.db, tenant, settings.name))) throw exists('name', settings.name);
  // Before the look, which in a wrong region finds nothing and says so.
  const former = settings.cloud && (await reaching(memberOnInstance(postgres.db, tenant, settings.cloud.instanceId)));
  if (former) throw exists('instance', nameAndRegionOf(former));
  const { instance, warnings } = await look(service, settings);
  if (instance?.state === 'terminated' || instance?.state === 'shutting-down') {
    throw new Failure('MemberUnusable', { id: instance.id, state: instance.state });
  }
  const id = randomUUID();
  const row = await reaching(
    postgres.transaction(async (db) => {
      const made = await insertMember(db, { id, tenant, by, settings });
      if ('taken' in made) throw exists(made.taken, made.by);
      await noteMember(db, made, { by, kind: 'registered', says: `Registered as ${settings.name}.` });
      return instance ? observeMember(db, made, instance, usdPerHour([instance.type], service.policy.prices)) : made;
    }),
  );
  const reachable = !settings.cloud || instance?.state === 'running';
  const more = reachable ? await tryOut(service, id) : [];
  return { row: (await reaching(findMember(postgres.db, tenant, id))) ?? row, warnings: [...warnings, ...more] };
}

function exists(taken: Taken, by: string): Failure {
  return new Failure('MemberExists', { what: taken, by: taken === 'name' ? 'another member' : by });
}

async function look(
  service: Service,
  { cloud, name }: MemberSettings,
): Promise<{ readonly instance: Instance | null; readonly warnings: string[] }> {
  if (!cloud) return { instance: null, warnings: [] };
  const seen = await askWorker<InstanceLook>(service, 'inspectInstance', { cloud });
  if ('problem' in seen) {
    return {
      instance: null,
      warnings: [`Warning: instance ${cloud.instanceId} could not be looked at: ${seen.problem}`],
    };
  }
  const { instance } = seen;
  if (!instance)
    return { instance, warnings: [`Warning: there is no instance ${cloud.instanceId} in ${cloud.region}.`] };
  const asleep = `Warning: instance ${instance.id} is ${instance.state}; ${name} is reached when it is started.`;
  return { instance, warnings: instance.state === 'running' ? [] : [asleep] };
}

async function tryOut(service: Service, memberId: string): Promise<readonly string[]> {
  const tried = await askWorker<MemberTry | { readonly problem: string }>(service, 'tryMember', { memberId });
  if ('problem' in tried) return [`Warning: it was not tried by SSH: ${tried.problem}`];
  return tried.ok ? tried.warnings : [`Warning: SSH: ${tried.why}`];
}

/** Runs one of the short looks of `workflows/inspect` and gives up after a while: then that is the problem. */
async function askWorker<T>(
  { temporal, taskQueue }: Service,
  workflow: 'inspectInstance' | 'tryMember',
  input: object,
): Promise<T | { readonly problem: string }> {
  const { client, reach } = temporal;
  try {
    const handle = await reach(() =>
      client.workflow.start(workflow, {
        workflowId: `${workflow}-${randomUUID()}`,
        taskQueue,
        args: [input],
        workflowExecutionTimeout: LOOK_MS * 2,
      }),
    );
    return await reach(() => handle.result(), LOOK_MS);
  } catch (error) {
    return { problem: error instanceof Failure ? error.message : `no worker answered within ${LOOK_MS / 1000}s` };
  }
}

/** A member by id or name. Throws `MemberNotFound`. */
export async function getMember(
  service: Service,
  tenant: string,
  ref: string,
): Promise<MemberRow & { readonly now: Date }> {
  const row = await reaching(findMember(service.postgres.db, tenant, ref));
  if (!row) throw new Failure('MemberNotFound', { ref });
  return row;
}

/** A page of members by name. */
export function getMembers(
  service: Service,
  tenant: string,
  page: { readonly after?: string; readonly limit: number },
) {
  return reaching(listMembers(service.postgres.db, tenant, page));
}

/** Replaces the settings of a member. Throws `MemberExists` for a name that is taken and `MemberChanged` when somebody was faster. */
export async function changeMember(
  service: Service,
  row: MemberRow,
  { settings, by }: { readonly settings: MemberSettings; readonly by: string },
): Promise<MemberRow> {
  return reaching(
    service.postgres.transaction(async (db) => {
      await refuseMove(db, row, settings);
      const changed = await updateMember(db, row, settings);
      if (!changed) throw new Failure('MemberChanged', { name: row.settings.name });
      if ('taken' in changed) throw exists(changed.taken, changed.by);
      await noteMember(db, changed, { by, kind: 'changed', says: `Changed: ${changesOf(row.settings, settings)}.` });
      return changed;
    }),
  );
}

/** A job is looked for where it was launched: elsewhere it would be launched again, beside itself. */
async function refuseMove(db: Queries, { id, settings: before }: MemberRow, after: MemberSettings): Promise<void> {
  const place = ({ host, port, username, jump, address }: MemberSettings) =>
    JSON.stringify([host, port, username, jump, address]);
  if (place(before) === place(after)) return;
  const [job] = await slotHolders(db, [id]);
  if (job) throw new Failure('MemberInUse', { name: before.name, holder: job.id });
}

/** Names of what differs; values may be nobody's business. */
function changesOf(before: MemberSettings, after: MemberSettings): string {
  const former = new Map<string, unknown>(Object.entries(before));
  const names = Object.entries(after)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(former.get(name)))
    .map(([name]) => name);
  return names.join(', ') || 'nothing';
}

/** A page of the events of a member, newest first. */
export async function getMemberEvents(
  service: Service,
  tenant: string,
  ref: string,
  page: PastPage,
): Promise<{ readonly rows: MemberEventRow[]; readonly more: boolean }> {
  const row = await getMember(service, tenant, ref);
  return reaching(eventsOfMember(service.postgres.db, row, page));
}
