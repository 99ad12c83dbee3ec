// A training run in small: it counts to a number, a step each 0.1 s, keeps a checkpoint, and writes down when it runs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from '../kit/hosts.ts';
import type { System } from '../kit/system.ts';

/** Of a command: `from` is 0, or `$(cat checkpoint)`. Each step is a line of `steps`; begin and end are in `witness`. */
function counts(name: string, to: number, from: string, every: number): string {
  return `mkdir -p ~/${name} && cd ~/${name} || exit 9
    echo "begin $FERMATA_GENERATION $FERMATA_ATTEMPT $$" >> witness
    n=${from}
    save() { echo $n > checkpoint.new && mv checkpoint.new checkpoint; }
    trap save USR1
    while [ $n -lt ${to} ]; do
      sleep 0.1
      n=$((n + 1))
      echo $n >> steps
      [ $((n % ${every})) -ne 0 ] || save
    done
    save
    echo "end $FERMATA_GENERATION $FERMATA_ATTEMPT $$" >> witness`;
}

/** The fields of a job that counts, with a checkpoint every so many steps. */
export function countingJob(
  name: string,
  to: number,
  every = 10,
): { readonly command: string; readonly restart_command: string } {
  return {
    command: counts(name, to, '0', every),
    restart_command: counts(name, to, '$(cat checkpoint 2>/dev/null || echo 0)', every),
  };
}

/** The lines of a file that it keeps. */
export function linesOf(system: System, instanceId: string, name: string, file: string): string[] {
  const path = join(homeOf(system, instanceId), name, file);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

export interface Count {
  /** Steps that were made more than once. */
  readonly repeated: number;
  /** How often it began. */
  readonly runs: number;
  /** True when every number to the last one was counted. */
  readonly whole: boolean;
}

/** What a job did by its own account. */
export function countOf(system: System, instanceId: string, name: string, to: number): Count {
  const steps = linesOf(system, instanceId, name, 'steps').map(Number);
  const made = new Set(steps);
  const runs = linesOf(system, instanceId, name, 'witness').filter((line) => line.startsWith('begin')).length;
  return { repeated: steps.length - made.size, runs, whole: made.size === to && steps.at(-1) === to };
}
