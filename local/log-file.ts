// The log of a program: never longer than a bound, and quoted when the program cannot start.
import { copyFileSync, readFileSync, statSync, truncateSync } from 'node:fs';

const MOST_BYTES = 20_000_000;
const TAIL_LINES = 8;
const TAIL_COLUMNS = 400;

/** The one before is kept. The program appends and goes on at the start of the emptied file; moving it would not end it. */
export function capLog(log: string, mostBytes = MOST_BYTES): void {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= mostBytes) return;
  try {
    copyFileSync(log, `${log}.1`);
  } catch {
    // A full disk has no room for the one before, and needs the room of this one.
  }
  truncateSync(log);
}

export function tailOf(log: string): string {
  try {
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES);
    return lines.map((line) => `    ${line.slice(0, TAIL_COLUMNS)}`).join('\n');
  } catch {
    return '    (nothing)';
  }
}
