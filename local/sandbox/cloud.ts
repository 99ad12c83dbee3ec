// The cloud in memory: instances, snapshots and client tokens by id, and the one place where records change.
import { randomBytes } from 'node:crypto';

import { hex } from './addresses.ts';
import { isGone, stateAt } from './lifecycle.ts';
import type { Check, Timing } from './lifecycle.ts';
import type { Instance, Records, Snapshot, Token } from './records.ts';
import { Refusal } from './refusal.ts';

export interface Settings extends Timing {
  readonly region: string;
  readonly maxInstances: number;
  /** N of the loopback network 127.N.x.y its public addresses are in. */
  readonly network: number | undefined;
}

export class Cloud {
  readonly settings: Settings;
  /** What the control API wants checks to show; forgotten at a restart, as faults are. */
  readonly forcedChecks = new Map<string, Check>();
  readonly #instances = new Map<string, Instance>();
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #tokens = new Map<string, Token>();
  #lastNumber = 0;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** Creation order and public addresses share one count, which records carry and so a restart goes on from. */
  nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  newId(prefix: 'i' | 'vol' | 'snap' | 'r'): string {
    return `${prefix}-${randomBytes(9).toString('hex').slice(0, 17)}`;
  }

  seedId(prefix: 'i' | 'vol' | 'r', name: string): string {
    return `${prefix}-${hex(`${prefix}/${name}`)}`;
  }

  apply(records: Partial<Records>): void {
    for (const instance of records.instances ?? []) {
      this.#instances.set(instance.id, instance);
      this.#lastNumber = Math.max(this.#lastNumber, instance.number, instance.public_number);
    }
    for (const snapshot of records.snapshots ?? []) {
      this.#snapshots.set(snapshot.id, snapshot);
      this.#lastNumber = Math.max(this.#lastNumber, snapshot.number);
    }
    for (const token of records.tokens ?? []) this.#tokens.set(token.token, token);
  }

  records(): Records {
    return {
      instances: [...this.#instances.values()],
      snapshots: [...this.#snapshots.values()],
      tokens: [...this.#tokens.values()],
    };
  }

  /** Instances long terminated go, and with the last instance of a launch its token. Returns who went. */
  bury(now: number): string[] {
    const gone = [...this.#instances.values()].filter((instance) => isGone(instance, now)).map(({ id }) => id);
    for (const id of gone) this.#instances.delete(id);
    for (const token of this.#tokens.values()) {
      if (!token.instance_ids.some((id) => this.#instances.has(id))) this.#tokens.delete(token.token);
    }
    return gone;
  }

  instances(now: number): Instance[] {
    return [...this.#instances.values()]
      .filter((instance) => !isGone(instance, now))
      .sort((one, other) => one.number - other.number);
  }

  snapshots(): Snapshot[] {
    return [...this.#snapshots.values()].sort((one, other) => one.number - other.number);
  }

  snapshot(id: string): Snapshot | undefined {
    return this.#snapshots.get(id);
  }

  token(token: string): Token | undefined {
    return this.#tokens.get(token);
  }

  /** All of them or AWS's refusal, in the order of the ids. */
  instancesOf(ids: readonly string[], now: number): Instance[] {
    for (const id of ids) {
      if (!/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
        const hint = id.startsWith('i-') ? '' : ' (expecting "i-...")';
        throw new Refusal('InvalidInstanceID.Malformed', `Invalid id: "${id}"${hint}`);
      }
    }
    const found = ids.flatMap((id) => this.instance(id, now) ?? []);
    const missing = ids.filter((id) => !found.some((instance) => instance.id === id));
    if (missing.length > 0) {
      const text =
        missing.length === 1
          ? `The instance ID '${missing.join('')}' does not exist`
          : `The instance IDs '${missing.join(', ')}' do not exist`;
      throw new Refusal('InvalidInstanceID.NotFound', text);
    }
    return found;
  }

  instance(id: string, now: number): Instance | undefined {
    const instance = this.#instances.get(id);
    return instance && !isGone(instance, now) ? instance : undefined;
  }

  /** By id, or by Name tag where exactly one instance that is not terminated has it. */
  named(idOrName: string, now: number): Instance | undefined {
    const known = this.instance(idOrName, now);
    if (known) return known;
    const bearers = this.instances(now).filter((instance) => instance.tags['Name'] === idOrName);
    const living = bearers.filter((instance) => stateAt(instance, now) !== 'terminated');
    const [only, ...others] = living.length > 0 ? living : bearers;
    return others.length > 0 ? undefined : only;
  }

  /** The instance whose root volume it is; the volume goes with its instance. */
  ownerOf(volumeId: string, now: number): Instance | undefined {
    return this.instances(now).find(
      (instance) => instance.volume_id === volumeId && stateAt(instance, now) !== 'terminated',
    );
  }
}
