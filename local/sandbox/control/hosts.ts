// What the control API does to the SSH hosts: how they answer, who may log in, their GPUs, keys and notices.
import { existsSync } from 'node:fs';

import { Fields, Rejection } from './fields.ts';
import { addressesOf } from '../addresses.ts';
import type { Cloud } from '../cloud.ts';
import { doorModes } from '../host/door.ts';
import { gpuModes, gpuStateOf } from '../host/gpu.ts';
import { shells } from '../host/host.ts';
import type { Hosts } from '../host/hosts.ts';
import type { Instance } from '../records.ts';

const mostGpus = 16;

/** What each instance shows of its host. */
export function hostJson(
  instance: Instance,
  hosts: Hosts | undefined,
  cloud: Cloud,
  now: number,
): Record<string, unknown> {
  const { public: address } = addressesOf(instance, cloud.settings.network, now);
  if (!hosts) return { ssh: null, spot_notice: null };
  const { door, place } = hosts.of(instance);
  const ssh = address === undefined ? null : { host: address, port: place.port, mode: door.mode, links: door.links };
  return { ssh, spot_notice: place.folder.notice() ?? null };
}

/** Undefined when there is no such act. */
export async function hostAct(act: string, json: string, instance: Instance, hosts: Hosts): Promise<unknown> {
  switch (act) {
    case 'host-key':
      new Fields(json || '{}', []);
      return hosts.changeKey(instance);
    case 'login':
      return setLogin(new Fields(json, ['password', 'logins']), instance, hosts);
    case 'ssh':
      return setSsh(new Fields(json, ['mode', 'shell', 'max_sessions']), instance, hosts);
    case 'gpu':
      return setGpus(new Fields(json, ['mode', 'gpus', 'utilization', 'memory_used_mb', 'apps']), instance, hosts);
    case 'spot-notice':
      return setNotice(new Fields(json, ['action', 'in_seconds']), instance, hosts);
    default:
      return undefined;
  }
}

function setLogin(fields: Fields, instance: Instance, hosts: Hosts): unknown {
  const host = hosts.of(instance);
  if (fields.has('password')) {
    host.password = fields.isNull('password') ? undefined : fields.text('password');
  }
  const logins = fields.has('logins') ? fields.integer('logins', 0, 100) : undefined;
  if (logins !== undefined) host.place.folder.setLogins(logins);
  return { password: host.password !== undefined, ...(logins === undefined ? {} : { logins }) };
}

async function setSsh(fields: Fields, instance: Instance, hosts: Hosts): Promise<unknown> {
  const host = hosts.of(instance);
  const mode = fields.has('mode') ? fields.oneOf('mode', doorModes) : undefined;
  const shell = fields.has('shell') ? fields.oneOf('shell', shells) : undefined;
  if (shell !== undefined && !existsSync(`/bin/${shell}`)) throw new Rejection(`this machine has no ${shell}`, 409);
  if (fields.has('max_sessions')) host.maxSessions = fields.integer('max_sessions', 1, 1000);
  if (shell !== undefined) host.shell = shell;
  if (mode !== undefined) await host.door.set(mode);
  return { mode: host.door.mode, shell: host.shell ?? 'sh', max_sessions: host.maxSessions };
}

function setGpus(fields: Fields, instance: Instance, hosts: Hosts): unknown {
  const state = gpuStateOf(instance.type, {
    mode: fields.oneOf('mode', gpuModes),
    ...(fields.has('gpus') ? { count: fields.integer('gpus', 1, mostGpus) } : {}),
    ...(fields.has('utilization') ? { utilization: fields.integers('utilization', 0, 100) } : {}),
    ...(fields.has('memory_used_mb') ? { memoryUsedMb: fields.integers('memory_used_mb', 0, 1_000_000) } : {}),
    ...(fields.has('apps') ? { apps: fields.integers('apps', 1, 0x7f_ff_ff_ff) } : {}),
  });
  if (!state) throw new Rejection(`a ${instance.type} has no GPU; "gpus" gives it some`, 409);
  hosts.of(instance).place.folder.setGpus(state, instance.type);
  return { state: state.text.trimEnd().split('\n') };
}

function setNotice(fields: Fields, instance: Instance, hosts: Hosts): unknown {
  const action = fields.oneOf('action', ['terminate', 'stop', 'hibernate', null]);
  const inSeconds = fields.has('in_seconds') ? fields.integer('in_seconds', 0, 86_400) : 120;
  const time = new Date(Date.now() + inSeconds * 1000).toISOString();
  const notice = action === null ? undefined : { action, time };
  hosts.of(instance).place.folder.setNotice(notice);
  return { spot_notice: notice ?? null };
}
