// kill -9 of each part under load: every accepted task ends, each effect is there once, the chain verifies.
import type { Victim } from '../kit/chaos.ts';
import { chaos } from '../kit/chaos.ts';
import { randomOf } from '../kit/random.ts';

const victims: Victim[] = ['api', 'worker', 'temporal', 'postgres'];

test.each(victims)(
  'kill -9 of %s',
  async (victim) => {
    const random = randomOf();
    process.stdout.write(`seed of ${victim}: FERMATA_SEED=${random.seed}\n`);
    const report = await chaos({ victim, kills: 3, tasks: 40, random });
    expect(report).toMatchObject({ lost: [], doubled: [], disagreeing: [], auditFlaws: [] });
    expect(report.accepted).toBe(40);
    expect(report.failed).toEqual({});
  },
  300_000,
);
