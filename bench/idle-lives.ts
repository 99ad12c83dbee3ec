// Random lives of machines, end to end: none is stopped while in use, and each that is idle is stopped in time.
import type { LivesReport } from '../test/kit/lives.ts';
import { LIVES_CONFIG, playLives, TIME_SCALE } from '../test/kit/lives.ts';
import { randomOf } from '../test/kit/random.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';
import { median, quantile } from './statistics.ts';

const LIVES = 50;
const SECONDS = 210;
const LONGEST_TIMEOUT_MIN = 4;

export const idleLives: Measurement = {
  name: 'idle-lives',
  about: `${LIVES} machines live for ${SECONDS} s side by side, a minute being ${60 * TIME_SCALE} s, unless --rounds says how many`,
  run: (options) =>
    withSystem({ config: LIVES_CONFIG }, async (system) => {
      const random = randomOf(options.seed);
      options.say(`--seed ${random.seed}`);
      const report = await playLives(system, {
        count: options.rounds ?? LIVES,
        seconds: SECONDS,
        longestTimeoutMin: LONGEST_TIMEOUT_MIN,
        random,
      });
      return findingsOf(report, random.seed, options);
    }),
};

function findingsOf(report: LivesReport, seed: number, { say }: BenchOptions): Finding[] {
  const { lives, looks, compared, wrong, falseStops, missedStops, lost, others, stops, raced } = report;
  for (const line of [...wrong, ...falseStops, ...missedStops, ...lost]) say(line);
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const three = (values: readonly number[]) =>
    `median ${s(median(values))}, p95 ${s(quantile(values, 0.95))}, longest ${s(Math.max(...values))}`;
  return [
    {
      what: `${lives} lives: verdicts as they should be`,
      bound: '100 %',
      measured: `${((100 * (compared - wrong.length)) / compared).toFixed(1)} % of ${compared} that can be told; ${looks} looks (seed ${seed})`,
      holds: wrong.length === 0 && compared > 0,
    },
    {
      what: `${lives} lives: false stops / missed stops / work lost`,
      bound: '0 / 0 / 0',
      measured: `${falseStops.length} / ${missedStops.length} / ${lost.length}; of ${stops} stops by policy, ${raced} as use began`,
      holds: [...falseStops, ...missedStops, ...lost, ...others].length === 0 && stops >= lives,
    },
    {
      what: `${lives} lives: from idle to stopped, beyond timeout and grace`,
      bound: 'two sweeps',
      measured: three(report.beyondWindowMs),
      holds: missedStops.length === 0,
    },
    { what: 'the same: between two looks at a machine', bound: '', measured: three(report.gapsMs) },
    { what: 'the same: from the verdict to the call of EC2', bound: '', measured: three(report.reactionsMs) },
  ];
}
