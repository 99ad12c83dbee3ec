// How long `npm start` takes when everything is built.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../config/paths.ts';
import { freePort } from '../local/ports.ts';
import type { BenchOptions, Measurement } from './measurement.ts';
import { median, spread } from './statistics.ts';

const STARTS = 4;
const PATIENCE_MS = 120_000;
const READY = 'Ctrl-C stops all of it';

export const startTime: Measurement = {
  name: 'start',
  about: `npm start, ${STARTS} times in the same new data folder; the first one also makes the database`,
  run: async ({ say }: BenchOptions) => {
    const dir = mkdtempSync(join(tmpdir(), 'fermata-bench-start-'));
    try {
      const seconds: number[] = [];
      for (let index = 0; index < STARTS; index += 1) {
        seconds.push((await start(dir)) / 1000);
        say(`start ${index + 1}: ${seconds.at(-1)?.toFixed(1)} s`);
      }
      const [first = Number.NaN, ...later] = seconds;
      return [
        { what: 'npm start, new data folder', bound: '', measured: `${first.toFixed(1)} s` },
        {
          what: 'npm start, everything built',
          bound: '<= 10 s',
          measured: spread(later, ' s', 1),
          holds: median(later) <= 10,
        },
      ];
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** Starts, waits for the last line, and stops as Ctrl-C does. Returns ms to that line. */
async function start(dir: string): Promise<number> {
  const env = { ...process.env, FERMATA_DATA_DIR: dir, PORT: String(await freePort()) };
  const began = performance.now();
  // A group of its own, as a shell gives to what is typed into it.
  const child = spawn('npm', ['start'], { cwd: packageRoot, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const group = -(child.pid ?? 0);
  const patience = setTimeout(() => process.kill(group, 'SIGINT'), PATIENCE_MS);
  let output = '';
  const ms = await new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(READY)) resolve(performance.now() - began);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`npm start ended before it was ready:\n${output.slice(-2_000)}`)));
  }).finally(() => clearTimeout(patience));
  process.kill(group, 'SIGINT');
  await ended;
  return ms;
}
