// Prepares, checks format, rules, types and unused code, runs the tests, and ends with the two counts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endCommands, onSignals, runCaptured, runForeground } from './command.mjs';
import { prepare } from './prepare.mjs';
import { createProgress } from './progress.mjs';
import { explain, root } from './settings.mjs';

const CHECKS = [
  ['format', 'node_modules/prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', '.']],
  ['rules', 'node_modules/eslint/bin/eslint.js', ['.']],
  ['unused code', 'node_modules/knip/bin/knip.js', []],
];

export async function main(chosen) {
  const onSignal = onSignals(endCommands);
  const { passed, failed } = await runAll(chosen, onSignal);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Arguments choose tests, and then nothing but those is run. */
async function runAll(chosen, onSignal) {
  const scratch = mkdtempSync(join(tmpdir(), 'fermata-npm-test-'));
  try {
    const progress = createProgress();
    // The tests need a server of their own, whatever server the user works with otherwise.
    const { cli, complaints } = await prepare({ progress, logs: join(scratch, 'logs'), ownServer: '' });
    const checks = chosen.length > 0 ? 0 : await runChecks(progress, complaints);
    const { passed, failed } = await runJest(onSignal, chosen, cli, join(scratch, 'counts.json'));
    return { passed, failed: failed + checks };
  } catch (error) {
    console.error(explain(error));
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Types were checked by the build. */
async function runChecks(progress, typeComplaints) {
  const others = CHECKS.map(([name, script, args]) => [name, () => complaintsOf(script, args)]);
  let failed = 0;
  for (const [name, check] of [['types', () => typeComplaints], ...others]) {
    const step = progress.step(name, '', { quiet: true });
    const complaints = await check();
    if (complaints === '') {
      step.done();
    } else {
      failed += 1;
      step.failed();
      progress.line(complaints);
    }
  }
  return failed;
}

async function complaintsOf(script, args) {
  const { ended, output } = await runCaptured(process.execPath, [join(root, script), ...args], { cwd: root });
  return ended === 0 ? '' : output || `ended with ${ended}`;
}

async function runJest(onSignal, chosen, cli, countsFile) {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const env = { ...process.env, TEMPORAL_CLI_PATH: cli, FERMATA_TEST_COUNTS: countsFile };
  const code = await runForeground([...flags, jest, ...chosen], { env, onSignal });
  try {
    const { passed, failed } = JSON.parse(readFileSync(countsFile, 'utf8'));
    return { passed, failed: failed === 0 && code !== 0 ? 1 : failed };
  } catch {
    // It ended before it had counted, and its servers may still run.
    const { sweepLeftovers } = await import('../test/kit/leftovers.mjs');
    await sweepLeftovers();
    return { passed: 0, failed: code === 0 ? 0 : 1 };
  }
}
