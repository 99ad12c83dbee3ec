// Trouble of every kind for jobs on the sandbox: each is completed, none ran twice at once, and only what is due is repeated.
import { jobChaos } from '../kit/job-chaos.ts';
import { randomOf } from '../kit/random.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

const JOBS = 8;
const MACHINES = 2;

let system: System;
beforeAll(async () => {
  system = await startSystem({ workers: 2 });
}, 90_000);
afterAll(() => system?.stop(), 30_000);

test(`${JOBS} jobs on ${MACHINES} machines`, async () => {
  const random = randomOf();
  process.stdout.write(`seed: FERMATA_SEED=${random.seed}\n`);
  const report = await jobChaos(system, {
    jobs: JOBS,
    machines: MACHINES,
    troubleMs: 40_000,
    random,
    say: (line) => void process.stdout.write(`${line}\n`),
  });
  process.stdout.write(`${report.interruptions} interruptions, ${report.repeated} steps repeated\n`);
  expect(report).toMatchObject({ completed: JOBS, lost: [], overlaps: 0, beyondCheckpoint: [] });
  expect(report.interruptions).toBeGreaterThan(0);
}, 400_000);
