// Ends a process that an earlier run left behind, once its command line proves that it is ours.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeProcess } from './process-info.mjs';

const GRACE_MS = 5_000;
const LOOK_MS = 25;

export interface Left {
  /** 0: nothing is known. */
  readonly pid: number;
  /** When it began, where that was noted: another bearer of its id began later. */
  readonly started?: string;
}

/** True when there was one. `marks` are parts of the command line that no other program's has together. */
export async function reclaim(left: Left, marks: readonly string[], signal: NodeJS.Signals): Promise<boolean> {
  const { pid, started } = left;
  const found = describeProcess(pid);
  if (!found || (started !== undefined && started !== found.started)) return false;
  if (!marks.every((mark) => found.command.includes(mark))) return false;
  const lives = () => describeProcess(pid)?.started === found.started;
  for (const next of [signal, 'SIGKILL'] as const) {
    send(pid, next);
    const until = Date.now() + GRACE_MS;
    while (lives() && Date.now() < until) await sleep(LOOK_MS);
    if (!lives()) return true;
  }
  throw new Error(`process ${pid} (${found.command}) was left by an earlier run and does not end`);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime, which the caller is about to see.
  }
}

/** Writes what {@link leftBy} reads. */
export function notePid(file: string, pid: number): void {
  writeFileSync(file, `${pid}\n${JSON.stringify({ started: describeProcess(pid)?.started })}\n`);
}

/** The id on the first line is what postmaster.pid begins with, too; that file says the rest in its own way. */
export function leftBy(file: string): Left {
  try {
    const [pid = '', second = ''] = readFileSync(file, 'utf8').split('\n');
    const started = /^{"started":"(.+)"}$/.exec(second)?.[1];
    return { pid: Number.parseInt(pid, 10) || 0, ...(started === undefined ? {} : { started }) };
  } catch {
    return { pid: 0 };
  }
}
