// Where the hosts' disks and keys lie in the data folder, by instance id.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { HostFolder } from './folder.ts';

export class Disks {
  /** OpenSSH's file for the one key that opens all hosts. */
  readonly clientKey: string;
  /** Where hosts leave what they ask of their cloud. */
  readonly powerFolder: string;
  readonly #hosts: string;
  readonly #keys: string;

  constructor(dataFolder: string) {
    this.clientKey = join(dataFolder, 'ssh', 'id_ed25519');
    this.powerFolder = join(dataFolder, 'ssh', 'power');
    this.#hosts = join(dataFolder, 'hosts');
    this.#keys = join(dataFolder, 'ssh', 'hosts');
  }

  /** Of the hosts that have run something, or were given something by the control API. */
  all(): HostFolder[] {
    try {
      return readdirSync(this.#hosts).map((id) => this.folder(id));
    } catch {
      return [];
    }
  }

  folder(id: string): HostFolder {
    return new HostFolder(this.#hosts, id, this.powerFolder);
  }

  keyPath(id: string): string {
    return join(this.#keys, id);
  }

  remove(id: string): void {
    this.folder(id).remove();
    for (const path of [this.keyPath(id), `${this.keyPath(id)}.pub`]) rmSync(path, { force: true });
  }
}
