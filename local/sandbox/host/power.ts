// Hears what the machines ask of their cloud from inside: to be stopped, or started anew.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Short against the time a machine takes, and a look into an empty folder costs next to nothing. */
const lookMs = 50;

export class PowerWishes {
  readonly #folder: string;
  readonly #asked: (id: string, what: 'halt' | 'reboot') => void;
  #looking: NodeJS.Timeout | undefined;

  constructor(folder: string, asked: (id: string, what: 'halt' | 'reboot') => void) {
    this.#folder = folder;
    this.#asked = asked;
  }

  /** Looks instead of watching: watchers are few on many machines, and a wish that is missed would be a lost stop. */
  start(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#looking = setInterval(() => this.#look(), lookMs).unref();
  }

  /** What is asked from now on is not heard any more. */
  close(): void {
    clearInterval(this.#looking);
    for (const name of this.#names()) taken(join(this.#folder, name));
  }

  /** The folder may be gone with the whole data folder, which is no reason to fall over. */
  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }

  #look(): void {
    for (const id of this.#names()) {
      // A name with a dot is being written.
      if (id.startsWith('.')) continue;
      const what = taken(join(this.#folder, id));
      if (what === 'halt' || what === 'reboot') this.#asked(id, what);
    }
  }
}

/** Whatever lies there is gone afterwards: it was made by a program of a host. */
function taken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
