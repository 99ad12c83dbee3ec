// Our own processes as programs: the sandbox cloud, the worker, the API.
import { join } from 'node:path';
import type { Program } from './program.ts';
import { leftBy, reclaim } from './reclaim.ts';

export interface Place {
  readonly root: string;
  readonly dataDir: string;
}

export interface OwnProgram {
  readonly name: string;
  /** Relative to the root. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Ready is what it says itself, over the channel that also tells it when we are gone. */
export function ownProgram(place: Place, { name, script, args = [], env }: OwnProgram): Program {
  return {
    name,
    command: process.execPath,
    args: ['--enable-source-maps', join(place.root, script), ...args],
    env,
    cwd: place.root,
    log: join(place.dataDir, 'logs', `${name}.log`),
    channel: true,
    pidFile: pidFileOf(place, name),
    stopSignal: 'SIGTERM',
    before: () => endLeftProgram(place, { name, script }),
    ready: ({ message }) => message,
  };
}

/** One that was told by its channel that its launcher died may still be finishing: two of it must not work at once. */
export async function endLeftProgram(
  place: Place,
  { name, script }: Pick<OwnProgram, 'name' | 'script'>,
): Promise<void> {
  await reclaim(leftBy(pidFileOf(place, name)), [join(place.root, script)], 'SIGTERM');
}

const pidFileOf = (place: Place, name: string) => join(place.dataDir, 'run', `${name}.pid`);
