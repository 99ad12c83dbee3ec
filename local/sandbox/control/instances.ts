// What the control API shows of instances and does to them: forced checks, and changes behind everyone's back.
import { Fields, Rejection } from './fields.ts';
import { hostJson } from './hosts.ts';
import { addressesOf } from '../addresses.ts';
import type { Cloud } from '../cloud.ts';
import type { Effect } from '../effects.ts';
import type { Hosts } from '../host/hosts.ts';
import { checkAt, started, stateAt, stopped, terminated } from '../lifecycle.ts';
import type { Reason } from '../lifecycle.ts';
import type { Instance, State } from '../records.ts';

const atOnce = { stateMs: 0, checkMs: 0 };
const hostLost: Reason = {
  text: 'Server.ScheduledStop',
  code: 'Server.ScheduledStop',
  message: 'Server.ScheduledStop: Stopped due to a scheduled retirement',
};

export function instanceJson(
  instance: Instance,
  cloud: Cloud,
  hosts: Hosts | undefined,
  now: number,
): Record<string, unknown> {
  const { private: privateAddress, public: publicAddress } = addressesOf(instance, cloud.settings.network, now);
  return {
    id: instance.id,
    name: instance.tags['Name'] ?? null,
    state: stateAt(instance, now),
    checks: checkAt(instance, now, cloud.forcedChecks.get(instance.id)),
    type: instance.type,
    zone: instance.zone,
    tags: instance.tags,
    reboots: instance.reboots,
    launched_at: new Date(instance.launched_at_ms).toISOString(),
    private_address: privateAddress ?? null,
    public_address: publicAddress ?? null,
    volume_id: instance.volume_id,
    ...hostJson(instance, hosts, cloud, now),
  };
}

export function namedInstance(idOrName: string, cloud: Cloud, now: number): Instance {
  const instance = cloud.named(idOrName, now);
  if (!instance) throw new Rejection(`no instance has the id or the unique name "${idOrName}"`, 404);
  return instance;
}

export function forceChecks(json: string, instance: Instance, cloud: Cloud): void {
  const status = new Fields(json, ['status']).oneOf('status', ['impaired', 'ok', null]);
  if (status === null) cloud.forcedChecks.delete(instance.id);
  else cloud.forcedChecks.set(instance.id, status);
}

/** The instance as it is after the loss, and the line that tells of it. */
export function failed(
  json: string,
  instance: Instance,
  cloud: Cloud,
  now: number,
): { after: Instance | undefined; effect: Omit<Effect, 'request_id'> } {
  const state = new Fields(json, ['state']).oneOf('state', ['stopped', 'terminated', 'running']);
  const after = lost(instance, state, cloud, now);
  const changed = after ? [instance.id] : [];
  return { after, effect: { action: 'SandboxFail', instance_ids: [instance.id], outcome: 'ok', changed, state } };
}

function lost(
  instance: Instance,
  wanted: 'stopped' | 'terminated' | 'running',
  cloud: Cloud,
  now: number,
): Instance | undefined {
  const state: State = stateAt(instance, now);
  if (state === wanted) return undefined;
  if (state === 'terminated') throw new Rejection('a terminated instance stays terminated', 409);
  if (wanted === 'running') return started(instance, now, atOnce, cloud.nextNumber());
  return wanted === 'stopped' ? stopped(instance, now, atOnce, hostLost) : terminated(instance, now, atOnce, hostLost);
}
