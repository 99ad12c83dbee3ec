// Finds the processes of a data folder by the environment they were started with, and waits for what can be watched.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeProcess } from '../../local/process-info.mjs';

const LOOK_MS = 25;

/** Everything below a launcher inherits the name of its data folder, PostgreSQL's children too. */
export function processesOf(dataDir: string): readonly number[] {
  const wanted = `FERMATA_DATA_DIR=${dataDir}\0`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(wanted))
    .map(Number)
    .filter((pid) => describeProcess(pid) !== undefined);
}

function environmentOf(pid: string): string {
  try {
    return `${readFileSync(`/proc/${pid}/environ`, 'utf8')}\0`;
  } catch {
    return '';
  }
}

export function pidOf(dataDir: string, name: 'temporal' | 'postgres' | 'sandbox' | 'worker' | 'api'): number {
  const files = { temporal: 'temporal/temporal.pid', postgres: 'postgres/data/postmaster.pid' };
  const file = name === 'temporal' || name === 'postgres' ? files[name] : `run/${name}.pid`;
  return Number.parseInt(readFileSync(join(dataDir, file), 'utf8'), 10);
}

export async function until(what: string, met: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await met())) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(LOOK_MS);
  }
}
