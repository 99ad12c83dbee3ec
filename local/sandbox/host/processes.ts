// Ends every process of a stopped machine: its process groups, and whatever carries its folder in the environment.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The variables that mark a process, and its children, as one of a host. */
export const hostVariable = 'FERMATA_SANDBOX_HOST';
export const folderVariable = 'FERMATA_SANDBOX_FOLDER';

/** Commands that were started in a process group of their own, as long as there may be somebody in it. */
export interface Group {
  readonly id: number;
  readonly leaderEnded: () => boolean;
}

const mostRounds = 50;

/** Returns how many processes were found by their environment. The folders name the hosts. */
export function endProcesses(folders: ReadonlySet<string>, groups: readonly Group[]): number {
  if (folders.size === 0) return 0;
  for (const group of groups) {
    // A number whose leader ended may belong to a stranger by now: while it is only a group's, no process has it.
    if (!group.leaderEnded() || !existsSync(`/proc/${group.id}`)) kill(-group.id);
  }
  const ended = new Set<number>();
  for (let round = 0; round < mostRounds; round += 1) {
    // What has been sent a SIGKILL forks no more, so a round that finds nobody new is the last one.
    const found = processesOf(folders).filter((pid) => !ended.has(pid));
    if (found.length === 0) break;
    for (const pid of found) {
      kill(pid);
      ended.add(pid);
    }
  }
  return ended.size;
}

export function isAnyLeft(group: Group): boolean {
  try {
    return process.kill(-group.id, 0);
  } catch {
    return false;
  }
}

function processesOf(folders: ReadonlySet<string>): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && folders.has(folderOf(pid)));
}

/** The folder of the host that the process was started on; '' for the others, and for what has ended. */
function folderOf(pid: number): string {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.find((entry) => entry.startsWith(`${folderVariable}=`))?.slice(folderVariable.length + 1) ?? '';
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
