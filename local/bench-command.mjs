// Prepares, then runs the measurements, which get the arguments.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endCommands, onSignals, runForeground } from './command.mjs';
import { prepare } from './prepare.mjs';
import { createProgress } from './progress.mjs';
import { Refusal, explain, root } from './settings.mjs';

export async function main(args) {
  const logs = mkdtempSync(join(tmpdir(), 'fermata-bench-'));
  const onSignal = onSignals(endCommands);
  try {
    // What is measured has servers of its own, whatever server the user works with otherwise.
    const { cli, complaints } = await prepare({ progress: createProgress(), logs, ownServer: '' });
    if (complaints !== '') throw new Refusal(`The build failed:\n${complaints}`);
    const env = { ...process.env, TEMPORAL_CLI_PATH: cli };
    process.exitCode = await runForeground([join(root, 'dist/bench/main.js'), ...args], { env, onSignal });
  } catch (error) {
    console.error(explain(error));
    process.exitCode = 1;
  } finally {
    rmSync(logs, { recursive: true, force: true });
  }
}
