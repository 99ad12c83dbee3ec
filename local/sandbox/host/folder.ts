// What a host has on the disk: its home, its programs, the id of its boot, and the files that the control API sets.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { nvidiaSmi } from './gpu-program.ts';
import { gpuStateOf } from './gpu.ts';
import type { GpuState } from './gpu.ts';
import { powerNames, shutdown, sudo, who } from './programs.ts';

export interface SpotNotice {
  readonly action: string;
  readonly time: string;
}

export class HostFolder {
  readonly path: string;
  readonly home: string;
  readonly bin: string;
  readonly bootIdFile: string;
  readonly noticeFile: string;
  readonly id: string;
  readonly #powerFolder: string;

  constructor(hosts: string, id: string, powerFolder: string) {
    this.path = join(hosts, id);
    this.home = join(this.path, 'home');
    this.bin = join(this.path, 'bin');
    this.bootIdFile = join(this.path, 'boot_id');
    this.noticeFile = join(this.path, 'spot-notice.json');
    this.id = id;
    this.#powerFolder = powerFolder;
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /** Makes what is missing; another boot than the last one that ran something gets another id. */
  prepare(boot: string, type: string): void {
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    mkdirSync(this.bin, { recursive: true, mode: 0o700 });
    if (this.bootOf() !== boot) {
      rmSync(this.#pending, { force: true });
      replace(this.bootIdFile, `${randomUUID()}\n`);
      replace(this.#bootFile, boot);
    }
    this.#program('shutdown', shutdown({ id: this.id, powerFolder: this.#powerFolder, pending: this.#pending }));
    for (const name of powerNames) this.#link(name);
    this.#program('sudo', sudo);
    this.#program('who', who(join(this.path, 'logins')));
    this.#offerGpus(type);
  }

  /** The boot that `prepare` was last told of. */
  bootOf(): string | undefined {
    return read(this.#bootFile);
  }

  /** Whatever ran here has been ended: the next command runs on another boot. */
  forgetBoot(): void {
    rmSync(this.#bootFile, { force: true });
  }

  setGpus(state: GpuState, type: string): void {
    mkdirSync(this.bin, { recursive: true, mode: 0o700 });
    replace(this.#gpuFile, state.text);
    this.#offerGpus(type);
  }

  setLogins(count: number): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    replace(join(this.path, 'logins'), `${count}\n`);
  }

  setNotice(notice: SpotNotice | undefined): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    if (notice) replace(this.noticeFile, `${JSON.stringify(notice)}\n`);
    else rmSync(this.noticeFile, { force: true });
  }

  notice(): unknown {
    const json = read(this.noticeFile);
    return json === undefined ? undefined : JSON.parse(json);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  get #bootFile(): string {
    return join(this.path, 'boot');
  }

  get #gpuFile(): string {
    return join(this.path, 'gpu');
  }

  get #pending(): string {
    return join(this.path, 'shutdown.pid');
  }

  #offerGpus(type: string): void {
    const set = read(this.#gpuFile);
    const usual = gpuStateOf(type, { mode: 'idle' });
    if (set === undefined && usual) replace(this.#gpuFile, usual.text);
    const offered = set ?? usual?.text;
    const path = join(this.bin, 'nvidia-smi');
    if (offered === undefined || offered.startsWith('mode missing\n')) rmSync(path, { force: true });
    else this.#program('nvidia-smi', nvidiaSmi(this.#gpuFile));
  }

  #program(name: string, text: string): void {
    const path = join(this.bin, name);
    // Writing one that is being run would change it under its shell.
    if (read(path) !== text) replace(path, text, 0o755);
  }

  #link(name: string): void {
    const path = join(this.bin, name);
    if (!existsSync(path)) symlinkSync('shutdown', path);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Whole or not at all: programs of the host read these files at any moment. */
function replace(path: string, text: string, mode = 0o644): void {
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
}
