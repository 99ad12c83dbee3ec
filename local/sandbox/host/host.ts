// One machine of the cloud as an SSH host: its address, its key, its commands, and the end of everything on it.
import { existsSync } from 'node:fs';

import ssh2 from 'ssh2';
import type { ParsedKey, Server, ServerChannel } from 'ssh2';

import { run } from './command.ts';
import type { Running } from './command.ts';
import { Door } from './door.ts';
import type { HostFolder } from './folder.ts';
import { freshKey, keptKey } from './keys.ts';
import type { KeyPair } from './keys.ts';
import { serve } from './link.ts';
import type { Serving } from './link.ts';
import { username } from './login.ts';
import { folderVariable, hostVariable, isAnyLeft } from './processes.ts';
import type { Group } from './processes.ts';

export const shells = ['bash', 'dash'] as const;
export type Shell = (typeof shells)[number];

export interface HostPlace {
  readonly id: string;
  /** As in the name of the machine's root: root@NAME. */
  readonly name: string;
  readonly type: string;
  readonly folder: HostFolder;
  readonly keyPath: string;
  readonly port: number;
  readonly clientKey: ParsedKey;
  readonly reach: Serving['reach'];
}

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A client that is slow or frozen stays; sshd does not look after its clients either unless it is told to. */
const keepaliveMs = 0x7f_ff_ff_ff;

export class Host {
  readonly place: HostPlace;
  readonly door: Door;
  /** Which boot it is on, as the cloud's records count them. */
  boot: string | undefined;
  /** When the boot is done, in ms since 1970. */
  upAtMs = 0;
  isUp = false;
  /** What the control API says of it; forgotten at a restart, as faults are. */
  shell: Shell | undefined;
  maxSessions = 10;
  password: string | undefined;
  readonly #groups = new Set<Group>();
  #ssh: Server | undefined;
  #prepared: string | undefined;

  constructor(place: HostPlace) {
    this.place = place;
    this.door = new Door(place.port, (socket) => this.#server().injectSocket(socket));
  }

  async up(address: string): Promise<void> {
    this.isUp = true;
    await this.door.open(address);
  }

  /** Cuts it off; its processes are ended by whoever calls, for all hosts together: `groups` and the folder name them. */
  down(): readonly Group[] {
    this.isUp = false;
    this.door.close();
    this.#prepared = undefined;
    const groups = [...this.#groups];
    this.#groups.clear();
    return groups;
  }

  /** Made at the first call and kept over stops and starts, as it is on the disk. */
  key(): KeyPair {
    return keptKey(this.place.keyPath, `root@${this.place.name}`);
  }

  /** From the next connection on, as if the machine had been set up anew. */
  changeKey(): KeyPair {
    this.#ssh = undefined;
    return freshKey(this.place.keyPath, `root@${this.place.name}`);
  }

  #server(): Server {
    const config = { hostKeys: [this.key().private], keepaliveInterval: keepaliveMs };
    this.#ssh ??= new ssh2.Server(config, (connection) => {
      serve(connection, {
        login: () => ({ clientKey: this.place.clientKey, password: this.password }),
        maxSessions: () => this.maxSessions,
        run: (command, channel) => this.#runOrSay(command, channel),
        reach: this.place.reach,
      });
    });
    return this.#ssh;
  }

  /** A full disk is a failed command, not a lost link. */
  #runOrSay(command: string, channel: ServerChannel): Running | undefined {
    try {
      return this.#run(command, channel);
    } catch (problem) {
      process.stderr.write(`sandbox: ${this.place.id}: ${String(problem)}\n`);
      channel.exit(255);
      channel.end();
      return undefined;
    }
  }

  #run(command: string, channel: ServerChannel): Running | undefined {
    const { folder, id, type } = this.place;
    const boot = this.boot ?? '';
    // The home is looked after each time: a command may have removed it.
    if (this.#prepared !== boot || !existsSync(folder.home)) folder.prepare(boot, type);
    this.#prepared = boot;
    const shell = this.shell === undefined ? '/bin/sh' : `/bin/${this.shell}`;
    const env = {
      HOME: folder.home,
      USER: username,
      LOGNAME: username,
      SHELL: shell,
      PATH: `${folder.bin}:${systemPath}`,
      LANG: 'C.UTF-8',
      FERMATA_BOOT_ID_FILE: folder.bootIdFile,
      FERMATA_SPOT_NOTICE_FILE: folder.noticeFile,
      [hostVariable]: id,
      [folderVariable]: folder.path,
    };
    const running = run(command, channel, { shell, home: folder.home, env }, () => this.#forget());
    if (running) this.#groups.add(running.group);
    return running;
  }

  /** A command that left nobody behind need not be ended, and its number may be given to a stranger. */
  #forget(): void {
    for (const group of this.#groups) {
      if (group.leaderEnded() && !isAnyLeft(group)) this.#groups.delete(group);
    }
  }
}
