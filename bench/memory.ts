// How much memory a process has in use, as the operating system sees it.
import { spawnSync } from 'node:child_process';

/** Resident memory in megabytes (of a million bytes); 0 when there is no such process any more. */
export function residentMb(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return (Number(stdout.trim()) * 1024) / 1e6;
}
