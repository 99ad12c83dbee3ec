// The secrets of a job: no history, row, log, answer or command line has one, nor has its folder on the machine afterwards.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homeOf } from '../kit/hosts.ts';
import { jobEnds, logOf, startJob } from '../kit/jobs.ts';
import { register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import type { Watch } from '../kit/traces.ts';
import { answersOf, databaseOf, filesOf, foundIn, historiesOf, watchCommandLines } from '../kit/traces.ts';

/** What must not be seen, by the way it is given. */
const CANARIES = {
  env: 'canary-of-env-77b0c3e19d',
  file: 'canary of \'file\' "d4c1" 90ab12',
  command: 'canary/of+command=50f2aa71cc',
  step: 'canary-of-step-a1e93b7745',
} as const;
const SEEN = { seen: 'no-canary-but-a-finch-3c9d18' };
const REFS = { A: { env: 'ENV' }, B: { file: 'canary.txt' }, C: { command: 'print' } } as const;

const folder = mkdtempSync(join(tmpdir(), 'fermata-canary-'));
let system: System;
let watch: Watch;
beforeAll(async () => {
  mkdirSync(join(folder, 'secrets'));
  writeFileSync(join(folder, 'secrets', 'canary.txt'), `${CANARIES.file}\n`);
  writeFileSync(join(folder, 'printed.txt'), CANARIES.command);
  watch = watchCommandLines({ ...CANARIES, ...SEEN });
  system = await startSystem({
    env: { FERMATA_SECRET_ENV: CANARIES.env, FERMATA_SECRET_STEP: CANARIES.step },
    config: {
      logging: { level: 'TRACE' },
      secrets: { folder: join(folder, 'secrets'), commands: { print: ['cat', join(folder, 'printed.txt')] } },
    },
  });
}, 60_000);
afterAll(async () => {
  watch.end();
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

test('a job that prints all it was given, fails, is tried again, and says nothing anywhere', async () => {
  await register(system, 'gpu-train-01', {
    ready_steps: [{ name: 'given', kind: 'env', content: 'PLAIN=plain', secrets: { GIVEN: { env: 'STEP' } } }],
  });
  // It lasts, so that its command line is looked at.
  const print = `echo "$A $B $C $GIVEN"; printenv; set; : ${SEEN.seen}; echo ${SEEN.seen}; sleep 2`;
  const id = await startJob(system, 'gpu-train-01', `${print}; exit 3`, {
    restart_command: `${print} >&2; printf %s "$A"`,
    retry_backoff_s: 0,
    secrets: REFS,
    checkpoint: { command: 'echo "$A $B"; true', grace_s: 5 },
  });
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', retries: 1 });
  const traces = {
    histories: await historiesOf(system),
    database: `${await databaseOf(system)} ${(await logOf(system, id)).toString()}`,
    files: filesOf(system),
    answers: await answersOf(system, [
      ...['', '/events', '/log?limit=1048576'].map((rest) => `/api/v1/jobs/${id}${rest}`),
      '/api/v1/jobs',
      '/api/v1/tasks?limit=100',
    ]),
  };
  const held = Object.entries(traces).map(([where, text]) => [where, foundIn(text, CANARIES), foundIn(text, SEEN)]);
  expect(held).toEqual(Object.keys(traces).map((where) => [where, [], ['seen']]));
  expect(watch.end()).toEqual(['seen']);
  // The machine has them in what was printed there, for its owner alone, and nowhere else.
  const job = join(homeOf(system, await system.cloud.idOf('gpu-train-01')), '.fermata', 'jobs', id);
  const files = readdirSync(job, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const kept = files.filter((entry) => {
    const path = join(entry.parentPath, entry.name);
    return !path.startsWith(join(job, 'log')) && foundIn(readFileSync(path, 'utf8'), CANARIES).length > 0;
  });
  expect(kept.map(({ name }) => name)).toEqual([]);
}, 120_000);
