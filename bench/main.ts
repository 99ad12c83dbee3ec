// `npm run bench`: measures what the design promises in numbers, and ends with one table; `faults` runs the long storms.
import { parseArgs } from 'node:util';
import { approval } from './approval.ts';
import { budget } from './budget.ts';
import { crowd } from './crowd.ts';
import { storms } from './faults.ts';
import { fleet } from './fleet.ts';
import { jobLog } from './job-log.ts';
import { jobWatch } from './job-watch.ts';
import type { BenchOptions, Measurement } from './measurement.ts';
import { runAll, tableOf } from './measurement.ts';
import { outage } from './outage.ts';
import { endServers } from './servers.ts';
import { startTime } from './start-time.ts';
import { throughput } from './throughput.ts';

const measurements: readonly Measurement[] = [
  budget,
  throughput,
  approval,
  outage,
  crowd,
  fleet,
  jobWatch,
  jobLog,
  startTime,
];

const HELP = `npm run bench -- [--only NAME,NAME] [--waiting N] [--minutes N]
npm run bench:faults -- [--only NAME,NAME] [--rounds N] [--seed N]

  --only NAME,NAME   only these
  --waiting N        crowd: how many tasks are to await a decision (10000)
  --minutes N        crowd: how long making them may take (8)
  --rounds N         storms: kills (10 of each part), cancels (200 at random moments), or seeds (4)
  --seed N           storms: the same seed chooses the same moments

Measurements:
${listed(measurements)}
Storms (bench:faults):
${listed(storms)}`;

function listed(all: readonly Measurement[]): string {
  return all.map(({ name, about }) => `  ${name.padEnd(14)}${about}\n`).join('');
}

class Misuse extends Error {}

function read() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      only: { type: 'string' },
      waiting: { type: 'string', default: '10000' },
      minutes: { type: 'string', default: '8' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
    },
  });
  const [what, ...rest] = positionals;
  if (rest.length > 0 || (what !== undefined && what !== 'faults'))
    throw new Misuse(`unknown: ${positionals.join(' ')}`);
  const all = what === 'faults' ? storms : measurements;
  const names = values.only?.split(',') ?? all.map(({ name }) => name);
  const unknown = names.filter((wanted) => !all.some(({ name }) => name === wanted));
  if (unknown.length > 0) throw new Misuse(`no such measurement: ${unknown.join(', ')}`);
  const options: BenchOptions = {
    seed: values.seed === undefined ? undefined : numberOf('seed', values.seed),
    rounds: values.rounds === undefined ? undefined : numberOf('rounds', values.rounds),
    waiting: numberOf('waiting', values.waiting),
    minutes: numberOf('minutes', values.minutes),
    say: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
  };
  return { help: values.help, chosen: all.filter(({ name }) => names.includes(name)), options };
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Misuse(`--${name} takes a number above 0, not ${text}`);
  return value;
}

async function main(): Promise<void> {
  const { help, chosen, options } = read();
  if (help) return console.log(HELP);
  const end = () => void endServers().finally(() => process.exit(130));
  process.once('SIGINT', end).once('SIGTERM', end);
  const findings = await runAll(chosen, options);
  console.log(`\n${tableOf(findings)}\n`);
  const broken = findings.filter(({ holds }) => holds === false).length;
  console.log(broken === 0 ? 'Every bound holds.' : `${broken} of the bounds are broken.`);
  process.exit(broken === 0 ? 0 : 1);
}

try {
  await main();
} catch (error) {
  const misuse = error instanceof Misuse || error instanceof TypeError;
  console.error(misuse ? `${error.message}\n\n${HELP}` : error);
  process.exit(misuse ? 2 : 1);
}
