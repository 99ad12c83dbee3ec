// From the answer to an approval to the first effect at the cloud, by the effects file's own clock.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { System } from '../test/kit/system.ts';
import { until } from '../test/kit/until.ts';
import { makeRunning } from './instances.ts';
import type { BenchOptions, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';
import { median, quantile, spread } from './statistics.ts';

const SAMPLES = 30;
const WARM_UP = 3;
/** So that a sample does not stand in the way of the next. */
const REST_MS = 200;

const dated = z.looseObject({ at: z.iso.datetime() });

export const approval: Measurement = {
  name: 'approval',
  about: `${SAMPLES} approvals one after another, from the answer to the effect`,
  run: ({ say }: BenchOptions) =>
    withSystem({ config: { confirmation: { timeout_seconds: 120 } } }, async (system) => {
      for (let index = 0; index < WARM_UP; index += 1) await sample(system, `warm-${index}`);
      const waits: number[] = [];
      const answers: number[] = [];
      for (let index = 0; index < SAMPLES; index += 1) {
        const { waited, answered } = await sample(system, `approved-${index}`);
        waits.push(waited);
        answers.push(answered);
        if ((index + 1) % 10 === 0) say(`${index + 1} of ${SAMPLES}`);
        await pause(REST_MS);
      }
      return [
        { what: 'approval sent to answered', bound: '', measured: spread(answers, ' ms') },
        {
          what: 'approval answered to first effect, p50',
          bound: '<= 100 ms',
          measured: `${spread(waits, ' ms')}, p95 ${quantile(waits, 0.95).toFixed(0)} ms`,
          holds: median(waits) <= 100,
        },
      ];
    }),
};

/** An effect before the answer counts as negative. */
async function sample(system: System, name: string): Promise<{ waited: number; answered: number }> {
  const { api, cloud } = system;
  const instance = await makeRunning(system, name);
  const id = await api.submit('delete_instance', { instance_id: name });
  await api.reach(id, 'AWAITING_CONFIRMATION');
  const sentAt = Date.now();
  const { status, text } = await api.confirm(id, true);
  const answeredAt = Date.now();
  if (status !== 200) throw new Error(`confirm: ${status} ${text}`);
  const effect = await until('the effect', () =>
    cloud.effects('TerminateInstances').find(({ instance_ids }) => instance_ids.includes(instance)),
  );
  await api.end(id);
  return { waited: Date.parse(dated.parse(effect).at) - answeredAt, answered: answeredAt - sentAt };
}
