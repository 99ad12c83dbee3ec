// A training run in small: it counts to a number, keeps a checkpoint, and writes down when it runs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from './hosts.ts';
import type { System } from './system.ts';

/** Of a command: `from` is 0, or `$(cat checkpoint)`. Each step is a line of `steps`; begin and end are in `witness`. */
function counts(name: string, to: number, from: string, { every, stepS }: Pace): string {
  return `mkdir -p ~/${name} && cd ~/${name} || exit 9
    echo "begin $FERMATA_GENERATION $FERMATA_ATTEMPT $$" >> witness
    n=${from}
    save() { echo $n > checkpoint.new && mv checkpoint.new checkpoint; }
    trap save USR1
    while [ $n -lt ${to} ]; do
      sleep ${stepS}
      n=$((n + 1))
      echo "$n $$" >> steps
      [ $((n % ${every})) -ne 0 ] || save
    done
    save
    echo "end $FERMATA_GENERATION $FERMATA_ATTEMPT $$" >> witness`;
}

interface Pace {
  /** Steps between two checkpoints. */
  readonly every: number;
  /** How long a step takes, seconds. */
  readonly stepS: number;
}

/** The fields of a job that counts. */
export function countingJob(
  name: string,
  to: number,
  { every = 10, stepS = 0.1 }: Partial<Pace> = {},
): { readonly command: string; readonly restart_command: string } {
  const pace = { every, stepS };
  return {
    command: counts(name, to, '0', pace),
    restart_command: counts(name, to, '$(cat checkpoint 2>/dev/null || echo 0)', pace),
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
  /** Steps of a run that came after another one had begun to make its own. */
  readonly overlaps: number;
  /** True when every number to the last one was counted. */
  readonly whole: boolean;
}

/** What a job did by its own account. */
export function countOf(system: System, instanceId: string, name: string, to: number): Count {
  const steps = linesOf(system, instanceId, name, 'steps').map((line) => line.split(' '));
  const made = new Set(steps.map(([step]) => Number(step)));
  const runs = linesOf(system, instanceId, name, 'witness').filter((line) => line.startsWith('begin')).length;
  const order: string[] = [];
  let overlaps = 0;
  for (const [, pid = ''] of steps) {
    if (!order.includes(pid)) order.push(pid);
    else if (order.at(-1) !== pid) overlaps += 1;
  }
  return {
    repeated: steps.length - made.size,
    runs,
    overlaps,
    whole: made.size === to && Number(steps.at(-1)?.[0]) === to,
  };
}
