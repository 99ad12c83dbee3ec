// Storm of resets: commands over a network that resets most of its links, on a real OpenSSH server and on a sandbox host.
import type { Host } from '../test/kit/hosts.ts';
import { hostOf } from '../test/kit/hosts.ts';
import { randomOf } from '../test/kit/random.ts';
import type { ResetsReport } from '../test/kit/resets.ts';
import { resets } from '../test/kit/resets.ts';
import { noSshd, startSshd } from '../test/kit/sshd.ts';
import type { System } from '../test/kit/system.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';

const COMMANDS = 120;
const SEEDS = 4;

/** Each seed on each machine: `--rounds` says how many seeds. */
export const resetsStorm: Measurement = {
  name: 'resets',
  about: `${COMMANDS} commands over links of which 60 % are reset, with ${SEEDS} seeds unless --rounds says otherwise`,
  run: (options) => withSystem({}, (system) => storm(system, options)),
};

async function storm(system: System, options: BenchOptions): Promise<Finding[]> {
  const { seed: first } = randomOf(options.seed);
  options.say(`--seed ${first}`);
  const seeds = Array.from({ length: options.rounds ?? SEEDS }, (_, index) => first + index);
  const findings: Finding[] = [];
  const runOn = async (kind: string, host: Host) => {
    for (const seed of seeds) {
      const report = await resets(system, { host, name: `${kind}-${seed}`, commands: COMMANDS, seed });
      for (const line of report.otherwise) options.say(line);
      findings.push(findingOf(kind, report));
    }
  };
  await runOn('sandbox', await hostOf(system, 'vm-prod-01'));
  if (noSshd !== undefined) {
    return [...findings, { what: 'resets in front of OpenSSH', bound: '', measured: `left out: ${noSshd}` }];
  }
  const sshd = await startSshd();
  try {
    await runOn('openssh', sshd);
  } finally {
    await sshd.stop();
  }
  return findings;
}

function findingOf(kind: string, report: ResetsReport): Finding {
  const { commands, effects, doubled, missing, unknown, otherwise, links, reset, seed } = report;
  return {
    what: `resets, ${kind}: commands / effects / doubled / unknown`,
    bound: `${commands} / ${commands} / 0 / 0`,
    measured: `${commands} / ${effects} / ${doubled.length} / ${unknown}; ${links} links, ${reset} reset (seed ${seed})`,
    holds: effects === commands && [...doubled, ...missing, ...otherwise].length === 0,
  };
}
