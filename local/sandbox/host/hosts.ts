// Makes every running instance an SSH host and stops it with its instance; follows the cloud's records, leads nothing.
import type { ParsedKey } from 'ssh2';

import { bootLog } from './console.ts';
import { Disks } from './disks.ts';
import { Host } from './host.ts';
import { fingerprint, keptKey } from './keys.ts';
import { parsedKey, username } from './login.ts';
import type { Network } from './network.ts';
import { PowerWishes } from './power.ts';
import { endProcesses } from './processes.ts';
import type { Group } from './processes.ts';
import { addressesOf, privateAddress, privateName } from '../addresses.ts';
import type { Cloud } from '../cloud.ts';
import type { Effect } from '../effects.ts';
import { askedByGuest, rebooted, stateAt, stopped } from '../lifecycle.ts';
import type { Persistence } from '../persistence.ts';
import type { Instance } from '../records.ts';

export interface HostsOptions {
  readonly folder: string;
  readonly network: Network;
  /** How long a machine takes from running to listening. */
  readonly bootMs: number;
}

/** What a client needs to know beside an address. */
export interface SshAccess {
  readonly username: string;
  readonly key_path: string;
  readonly port: number;
}

export class Hosts {
  readonly access: SshAccess;
  readonly #cloud: Cloud;
  readonly #persistence: Persistence;
  readonly #options: HostsOptions;
  readonly #clientKey: ParsedKey;
  readonly #disks: Disks;
  readonly #wishes: PowerWishes;
  readonly #hosts = new Map<string, Host>();
  readonly #alarms = new Map<string, NodeJS.Timeout>();
  #isOpen = false;

  constructor(persistence: Persistence, options: HostsOptions) {
    this.#persistence = persistence;
    this.#cloud = persistence.cloud;
    this.#options = options;
    this.#disks = new Disks(options.folder);
    const { clientKey, powerFolder } = this.#disks;
    this.#clientKey = parsedKey(keptKey(clientKey, `${username}@sandbox`).public);
    this.access = { username, key_path: clientKey, port: options.network.port };
    this.#wishes = new PowerWishes(powerFolder, (id, what) => this.#grant(id, what));
  }

  /** Every instance that runs listens when it settles; what an earlier sandbox left of the others is ended and removed. */
  async open(): Promise<void> {
    this.#isOpen = true;
    this.#sweep();
    this.#wishes.start();
    const ids = this.#cloud.instances(Date.now()).map(({ id }) => id);
    await Promise.all(this.#look(ids));
  }

  /** As if the power went: nothing listens, and no process of a host is left. */
  close(): void {
    this.#isOpen = false;
    for (const alarm of this.#alarms.values()) clearTimeout(alarm);
    this.#wishes.close();
    const groups = [...this.#hosts.values()].flatMap((host) => host.down());
    const folders = this.#disks.all();
    endProcesses(new Set(folders.map(({ path }) => path)), groups);
    for (const folder of folders) folder.forgetBoot();
  }

  /** To be called with the instances that an effect changed, after it was committed. */
  changed(ids: readonly string[]): void {
    if (this.#isOpen) void Promise.all(this.#look(ids));
  }

  /** To be called with instances that are gone for good: their disks go with them. */
  buried(ids: readonly string[]): void {
    if (this.#isOpen) for (const id of ids) this.#remove(id);
  }

  /** The host of this instance, whatever state it is in. */
  of(instance: Instance): Host {
    const known = this.#hosts.get(instance.id);
    if (known) return known;
    const { region } = this.#cloud.settings;
    const fresh = new Host({
      id: instance.id,
      name: privateName(region, privateAddress(instance.number)),
      type: instance.type,
      folder: this.#disks.folder(instance.id),
      keyPath: this.#disks.keyPath(instance.id),
      port: this.#options.network.port,
      clientKey: this.#clientKey,
      reach: (address, port) => this.#reach(address, port),
    });
    this.#hosts.set(instance.id, fresh);
    return fresh;
  }

  /** What its console has shown since it booted; nothing before that. */
  consoleOf(instance: Instance): string {
    const host = this.of(instance);
    return host.isUp ? bootLog(host.place.name, host.key().public, new Date(host.upAtMs)) : '';
  }

  /** Another host key, as of a machine that was set up anew. Returns its public line and its fingerprint. */
  changeKey(instance: Instance): { host_key: string; fingerprint: string } {
    const { public: line } = this.of(instance).changeKey();
    return { host_key: line, fingerprint: fingerprint(line) };
  }

  /** Brings these hosts to where their instances are; returns the openings that are on the way. */
  #look(ids: readonly string[]): Promise<void>[] {
    const now = Date.now();
    const folders = new Set<string>();
    const groups: Group[] = [];
    const openings: Promise<void>[] = [];
    for (const id of ids) {
      clearTimeout(this.#alarms.get(id));
      this.#alarms.delete(id);
      const instance = this.#cloud.instance(id, now);
      if (!instance) continue;
      const host = this.of(instance);
      const isRunning = stateAt(instance, now) === 'running';
      const isOther = host.boot !== undefined && host.boot !== bootOf(instance);
      if (host.isUp && (!isRunning || isOther)) {
        const running = host.down();
        groups.push(...running);
        if (running.length > 0 || host.place.folder.exists()) folders.add(host.place.folder.path);
      }
      if (!isRunning) this.#alarm(id, instance.settles_at_ms, now);
      else {
        if (host.boot !== bootOf(instance)) this.#boot(host, instance, now);
        if (now < host.upAtMs) this.#alarm(id, host.upAtMs, now);
        else if (!host.isUp)
          openings.push(host.up(addressesOf(instance, this.#options.network.number, now).public ?? ''));
      }
    }
    // One look at the processes for all of them, before any of them can start another.
    endProcesses(folders, groups);
    return openings;
  }

  #boot(host: Host, instance: Instance, now: number): void {
    const isReboot = host.boot?.startsWith(`${launchOf(instance)}/`) === true;
    host.boot = bootOf(instance);
    host.upAtMs = (isReboot ? now : instance.settles_at_ms) + this.#options.bootMs;
  }

  #alarm(id: string, atMs: number, now: number): void {
    if (atMs <= now) return;
    const wake = () => void this.changed([id]);
    this.#alarms.set(id, setTimeout(wake, atMs - now).unref());
  }

  #grant(id: string, what: 'halt' | 'reboot'): void {
    const now = Date.now();
    const instance = this.#cloud.instance(id, now);
    if (!instance || stateAt(instance, now) !== 'running') return;
    const { settings } = this.#cloud;
    const after = what === 'halt' ? stopped(instance, now, settings, askedByGuest) : rebooted(instance, now, settings);
    const effect: Effect = {
      action: what === 'halt' ? 'SandboxShutdown' : 'SandboxReboot',
      instance_ids: [id],
      request_id: '',
      principal: 'guest',
      outcome: 'ok',
      changed: [id],
    };
    try {
      this.#persistence.commit(effect, now, { instances: [after] });
    } catch (problem) {
      process.stderr.write(`sandbox: ${id} asked for ${what}: ${String(problem)}\n`);
    }
  }

  /** Only the hosts of this network, by either of their addresses: an instance is a way to them and to nothing else. */
  #reach(address: string, port: number): { host: string; port: number } | undefined {
    if (port !== this.#options.network.port) return undefined;
    const now = Date.now();
    for (const instance of this.#cloud.instances(now)) {
      const { private: inner, public: outer } = addressesOf(instance, this.#options.network.number, now);
      if (outer !== undefined && (inner === address || outer === address)) return { host: outer, port };
    }
    return undefined;
  }

  /** Processes go on over a kill of the sandbox, as machines do; those whose machine went down meanwhile are ended. */
  #sweep(): void {
    const now = Date.now();
    const over = this.#disks.all().filter((folder) => {
      const instance = this.#cloud.instance(folder.id, now);
      if (!instance) return true;
      return stateAt(instance, now) !== 'running' || folder.bootOf() !== bootOf(instance);
    });
    endProcesses(new Set(over.map(({ path }) => path)), []);
    for (const { id } of over) if (!this.#cloud.instance(id, now)) this.#remove(id);
  }

  #remove(id: string): void {
    clearTimeout(this.#alarms.get(id));
    this.#alarms.delete(id);
    this.#hosts.get(id)?.down();
    this.#hosts.delete(id);
    this.#disks.remove(id);
  }
}

/** Every start has a public address of its own, so it tells boots apart where clocks do not. */
const launchOf = (instance: Instance): string => `${instance.launched_at_ms}-${instance.public_number}`;

const bootOf = (instance: Instance): string => `${launchOf(instance)}/${instance.reboots}`;
