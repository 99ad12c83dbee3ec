// A network that resets most of its links: every command has its effect once, and no task has to say that it does not know.
import type { ResetsOptions } from '../kit/resets.ts';
import { resets } from '../kit/resets.ts';
import { hostOf } from '../kit/hosts.ts';
import { randomOf } from '../kit/random.ts';
import { noSshd, startSshd } from '../kit/sshd.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

const COMMANDS = 30;
let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop(), 30_000);

/** Throws what was not so; the numbers are printed either way, with the seed that makes the same faults again. */
async function storm(name: string, host: ResetsOptions['host']): Promise<void> {
  const { seed } = randomOf();
  process.stdout.write(`seed of ${name}: FERMATA_SEED=${seed}\n`);
  const report = await resets(system, { host, name, commands: COMMANDS, seed });
  process.stdout.write(`${name}: ${report.links} links made, ${report.reset} reset\n`);
  expect(report).toMatchObject({ effects: COMMANDS, doubled: [], missing: [], otherwise: [], unknown: 0 });
  // Fewer would be no storm.
  expect(report.reset).toBeGreaterThan(5);
}

test('commands on a real OpenSSH server', async () => {
  if (noSshd !== undefined) return void process.stdout.write(`skipped: ${noSshd}\n`);
  const sshd = await startSshd();
  try {
    await storm('openssh', sshd);
  } finally {
    await sshd.stop();
  }
}, 150_000);

test('commands on a host of the sandbox', async () => {
  await storm('sandbox', await hostOf(system, 'vm-prod-01'));
}, 150_000);
