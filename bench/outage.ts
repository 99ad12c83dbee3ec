// PostgreSQL away while tasks want to record: what needs no record goes on as before, and the tasks end once it is back.
import type { System } from '../test/kit/system.ts';
import { until } from '../test/kit/until.ts';
import { startBare } from './bare.ts';
import type { BenchOptions, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';
import { inParallel, median, spread, timed } from './statistics.ts';

const AWAY_MS = 60_000;
const BEFORE_MS = 20_000;
const RECORDING = 60;
const END_MS = 120_000;

interface Samples {
  readonly bare: number[];
  readonly queries: number[];
}

export const outage: Measurement = {
  name: 'outage',
  about: `PostgreSQL away for ${AWAY_MS / 1000} s with ${RECORDING} tasks recording`,
  run: ({ say }: BenchOptions) =>
    withSystem({ config: { confirmation: { timeout_seconds: 600 } } }, async (system, { postgres }) => {
      const { api, temporal } = system;
      const waiting = await api.submit('delete_instance', { instance_id: 'vm-prod-02' });
      await api.reach(waiting, 'AWAITING_CONFIRMATION');
      const bare = await startBare(system);
      // A query is answered by the workflow code of the very worker whose records wait.
      const query = () => temporal.workflow.getHandle(`task-${waiting}`).query('status');
      const sampleFor = async (ms: number): Promise<Samples> => {
        const samples: Samples = { bare: [], queries: [] };
        for (const end = performance.now() + ms; performance.now() < end;) {
          samples.bare.push(await timed(bare.run));
          samples.queries.push(await timed(query));
        }
        return samples;
      };
      try {
        await sampleFor(3_000);
        const before = await sampleFor(BEFORE_MS);
        await postgres.stop();
        say('PostgreSQL is away');
        const [ids, during] = await Promise.all([submitAll(system), sampleFor(AWAY_MS)]);
        await postgres.restart();
        say(`PostgreSQL is back; ${ids.length} tasks were accepted meanwhile`);
        const began = performance.now();
        const completed = await ended(system, ids);
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        return [
          compared('bare workflow, PostgreSQL away / there', during.bare, before.bare),
          compared('query of a waiting task, PostgreSQL away / there', during.queries, before.queries),
          {
            what: 'tasks accepted meanwhile that completed afterwards',
            bound: `= ${RECORDING}`,
            measured: `${completed}, after ${seconds} s`,
            holds: completed === RECORDING,
          },
        ];
      } finally {
        await bare.stop();
      }
    }),
};

function compared(what: string, during: readonly number[], before: readonly number[]) {
  const ratio = median(during) / median(before);
  return {
    what,
    bound: '<= 1.5',
    measured: `${ratio.toFixed(2)}: ${spread(during, ' ms')} / ${spread(before, ' ms')}`,
    holds: ratio <= 1.5,
  };
}

async function submitAll({ api }: System): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(RECORDING, 16, async () => {
    ids.push(await api.submit('describe_instance', { instance_id: 'vm-prod-01' }));
  });
  return ids;
}

async function ended({ db }: System, ids: readonly string[]): Promise<number> {
  const count = async () => {
    const { rows } = await db.query<{ count: string }>(
      "select count(*) from tasks where id = any($1) and status = 'COMPLETED'",
      [ids],
    );
    return Number(rows[0]?.count ?? 0);
  };
  await until('all have ended', async () => (await count()) === ids.length, END_MS).catch(() => undefined);
  return count();
}
