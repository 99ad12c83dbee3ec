// Storm of trouble for jobs: workers killed, machines cut off, stopped, rebooted and taken back, with and without notice.
import { jobChaos } from '../test/kit/job-chaos.ts';
import { randomOf } from '../test/kit/random.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';
import { quantile } from './statistics.ts';

const JOBS = 50;
const MACHINES = 5;
const SEEDS = 2;
const TROUBLE_MS = 120_000;

/** Each seed on machines of its own: `--rounds` says how many seeds. */
export const jobStorm: Measurement = {
  name: 'jobs',
  about: `${JOBS} jobs on ${MACHINES} machines in trouble, with ${SEEDS} seeds unless --rounds says otherwise`,
  run: async (options) => {
    const { seed: first } = randomOf(options.seed);
    options.say(`--seed ${first}`);
    const findings: Finding[] = [];
    for (let index = 0; index < (options.rounds ?? SEEDS); index += 1) {
      findings.push(...(await storm(first + index, options)));
    }
    return findings;
  },
};

async function storm(seed: number, { say }: BenchOptions): Promise<Finding[]> {
  const report = await withSystem({ workers: 3 }, (system) =>
    jobChaos(system, { jobs: JOBS, machines: MACHINES, troubleMs: TROUBLE_MS, random: randomOf(seed), say }),
  );
  for (const line of [...report.lost, ...report.beyondCheckpoint]) say(line);
  const troubles = Object.entries(report.troubles).map(([what, count]) => `${count} ${what}`);
  const seconds = (share: number) => (quantile(report.resumedMs, share) / 1000).toFixed(1);
  return [
    {
      what: 'jobs: completed / lost / overlaps / beyond a checkpoint',
      bound: `${JOBS} / 0 / 0 / 0`,
      measured:
        `${report.completed} / ${report.lost.length} / ${report.overlaps} / ${report.beyondCheckpoint.length}; ` +
        `${report.interruptions} interruptions, ${report.repeated} steps repeated (${troubles.join(', ')}; seed ${seed})`,
      holds:
        report.completed === JOBS &&
        report.overlaps === 0 &&
        report.lost.length === 0 &&
        report.beyondCheckpoint.length === 0,
    },
    {
      what: 'interruption to resumed, p50 / p95',
      bound: '',
      measured: `${seconds(0.5)} s / ${seconds(0.95)} s of ${report.resumedMs.length} (seed ${seed})`,
    },
  ];
}
