// Keeps the cloud over restarts: an effect is committed by its line in effects.jsonl, and state.json follows behind.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { Cloud } from './cloud.ts';
import type { Settings } from './cloud.ts';
import { Effects, readEffects } from './effects.ts';
import type { Effect } from './effects.ts';
import type { Records } from './records.ts';
import { seed } from './seed.ts';
import { loadState, saveState } from './state-file.ts';

const saveAfterMs = 100;
/** Thousands of instances take a while to write: the sandbox still spends most of its time answering. */
const restPerSaving = 10;

/** Who has to know at once which instances changed, and which are gone for good. */
export interface Follower {
  changed(ids: readonly string[]): void;
  buried(ids: readonly string[]): void;
}

export class Persistence {
  readonly cloud: Cloud;
  readonly effectsPath: string;
  readonly #effects: Effects;
  readonly #statePath: string;
  #saving: NodeJS.Timeout | undefined;
  #savingMs = 0;
  #follower: Follower | undefined;

  constructor(cloud: Cloud, effects: Effects, statePath: string) {
    this.cloud = cloud;
    this.effectsPath = effects.path;
    this.#effects = effects;
    this.#statePath = statePath;
  }

  /** First the line, on the disk, then the memory: a kill in between is made good by redoing the line at the next start. */
  commit(effect: Effect, now: number, records?: Partial<Records>): void {
    this.#effects.append(effect, now, records);
    if (records) this.cloud.apply(records);
    const afterMs = Math.max(saveAfterMs, restPerSaving * this.#savingMs);
    this.#saving ??= setTimeout(() => this.#saveOrSay(), afterMs).unref();
    if (records?.instances) this.#follower?.changed(records.instances.map(({ id }) => id));
  }

  follow(follower: Follower): void {
    this.#follower = follower;
  }

  save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const began = Date.now();
    const gone = this.cloud.bury(began);
    const effects = this.#effects.position;
    saveState(this.#statePath, { format: 'fermata-sandbox-1', effects, records: this.cloud.records() });
    this.#savingMs = Date.now() - began;
    if (gone.length > 0) this.#follower?.buried(gone);
  }

  close(): void {
    this.save();
    this.#effects.close();
  }

  /** State that could not be saved is only an older start for the redo: the effects have all of it. */
  #saveOrSay(): void {
    try {
      this.save();
    } catch (problem) {
      process.stderr.write(`sandbox: could not save ${this.#statePath}: ${String(problem)}\n`);
    }
  }
}

export function openPersistence(folder: string, settings: Settings): Persistence {
  mkdirSync(folder, { recursive: true });
  const statePath = join(folder, 'state.json');
  const effectsPath = join(folder, 'effects.jsonl');
  const saved = loadState(statePath);
  const cloud = new Cloud(settings);
  cloud.apply(saved?.records ?? seed(cloud, Date.now()));
  const { end, redo, torn } = readEffects(effectsPath, saved?.effects ?? { lines: 0, bytes: 0 });
  for (const records of redo) cloud.apply(records);
  const persistence = new Persistence(cloud, new Effects(effectsPath, end), statePath);
  if (torn !== undefined) persistence.commit(sealOf(torn), Date.now());
  persistence.save();
  return persistence;
}

const sealOf = (torn: string): Effect => ({
  action: 'SandboxSeal',
  instance_ids: [],
  request_id: '',
  outcome: 'ok',
  changed: [],
  torn,
});
