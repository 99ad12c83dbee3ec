// Safe reads a second against bare one-activity workflows a second, in turns on the same server.
import { startBare } from './bare.ts';
import type { BenchOptions, Measurement } from './measurement.ts';
import { readOnce } from './reads.ts';
import { withSystem } from './servers.ts';
import { inParallel, median, spread, timed } from './statistics.ts';

const BLOCKS = 7;
const A_BLOCK = 80;
const AT_A_TIME = 16;
const WARM_UP = 40;

const perSecond = async (work: () => Promise<unknown>) =>
  A_BLOCK / ((await timed(() => inParallel(A_BLOCK, AT_A_TIME, work))) / 1000);

export const throughput: Measurement = {
  name: 'throughput',
  about: `${BLOCKS} blocks of ${A_BLOCK} safe reads over HTTP and of ${A_BLOCK} bare workflows, in turns, ${AT_A_TIME} at a time`,
  run: ({ say }: BenchOptions) =>
    withSystem({}, async (system) => {
      const bare = await startBare(system);
      const ours = () => readOnce(system);
      try {
        await inParallel(WARM_UP, AT_A_TIME, bare.run);
        await inParallel(WARM_UP, AT_A_TIME, ours);
        const reads: number[] = [];
        const bares: number[] = [];
        for (let block = 0; block < BLOCKS; block += 1) {
          // Who goes first changes, so that a machine that grows slower or faster favours nobody.
          if (block % 2 === 0) bares.push(await perSecond(bare.run));
          reads.push(await perSecond(ours));
          if (block % 2 === 1) bares.push(await perSecond(bare.run));
          say(`block ${block + 1}: ${reads.at(-1)?.toFixed(1)} reads/s, ${bares.at(-1)?.toFixed(1)} bare/s`);
        }
        const ratios = reads.map((value, block) => value / (bares[block] ?? Number.NaN));
        return [
          { what: 'safe reads a second, over HTTP', bound: '', measured: spread(reads, '/s', 1) },
          { what: 'bare workflows a second', bound: '', measured: spread(bares, '/s', 1) },
          {
            what: 'safe reads / bare workflows',
            bound: '>= 0.6',
            measured: spread(ratios, '', 2),
            holds: median(ratios) >= 0.6,
          },
        ];
      } finally {
        await bare.stop();
      }
    }),
};
