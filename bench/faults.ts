// The long storms: each part killed under load again and again, and cancels and kills of the worker at random moments.
import { setTimeout as pause } from 'node:timers/promises';
import { auditFlaws, disagreements, doubledEffects } from '../test/kit/agreement.ts';
import type { Victim } from '../test/kit/chaos.ts';
import { chaos } from '../test/kit/chaos.ts';
import type { Random } from '../test/kit/random.ts';
import { randomOf } from '../test/kit/random.ts';
import type { System } from '../test/kit/system.ts';
import { until } from '../test/kit/until.ts';
import { idleLives } from './idle-lives.ts';
import { jobStorm } from './job-storm.ts';
import { makeRunning } from './instances.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { resetsStorm } from './resets.ts';
import { withSystem } from './servers.ts';
import { inParallel } from './statistics.ts';

const KILLS = 10;
const TASKS_A_KILL = 15;
const MOMENTS = 200;
const AT_A_TIME = 10;
/** A workflow task that was lost with several workers one after another gets up to ten minutes from the server. */
const DECIDED_MS = 15 * 60_000;

const victims: readonly Victim[] = ['api', 'worker', 'temporal', 'postgres'];

export const storms: readonly Measurement[] = [
  ...victims.map((victim): Measurement => ({
    name: victim,
    about: `kill -9 of ${victim} under load, ${KILLS} times unless --rounds says otherwise`,
    run: (options) => storm(victim, options),
  })),
  {
    name: 'cancels',
    about: `${MOMENTS} cancels at random moments, unless --rounds says otherwise`,
    run: (options) => moments(options, 'cancels', cancels),
  },
  {
    name: 'worker-kills',
    about: `${MOMENTS} kills of the worker at random moments, unless --rounds says otherwise`,
    run: (options) => moments(options, 'kills of the worker', kills),
  },
  resetsStorm,
  idleLives,
  jobStorm,
];

function seeded({ seed, say }: BenchOptions): Random {
  const random = randomOf(seed);
  say(`--seed ${random.seed}`);
  return random;
}

async function storm(victim: Victim, options: BenchOptions): Promise<Finding[]> {
  const random = seeded(options);
  const rounds = options.rounds ?? KILLS;
  const tasks = rounds * TASKS_A_KILL;
  const report = await chaos({ victim, kills: rounds, tasks, random });
  const { accepted, completed, failed, lost, doubled, disagreeing, auditFlaws: flaws } = report;
  const wrong = [...lost, ...doubled, ...disagreeing, ...flaws];
  for (const line of wrong) options.say(line);
  const others = Object.entries(failed).map(([how, count]) => `, ${count} ${how.trim()}`);
  return [
    {
      what: `${rounds} x kill -9 of ${victim}: lost / doubled / disagreeing / audit`,
      bound: '0 / 0 / 0 / 0',
      measured:
        `${lost.length} / ${doubled.length} / ${disagreeing.length} / ${flaws.length}; ` +
        `of ${accepted} accepted ${completed} completed${others.join('')} (seed ${random.seed})`,
      holds: wrong.length === 0,
    },
    {
      what: `${rounds} x kill -9 of ${victim}: accepted, completed`,
      bound: `= ${tasks}, ${tasks}`,
      measured: `${accepted}, ${completed}`,
      holds: accepted === tasks && completed === tasks,
    },
  ];
}

type Round = (system: System, count: number, random: Random, say: BenchOptions['say']) => Promise<string[]>;

async function moments(options: BenchOptions, what: string, round: Round): Promise<Finding[]> {
  const random = seeded(options);
  const count = options.rounds ?? MOMENTS;
  return withSystem({ config: { confirmation: { timeout_seconds: 3_600 } } }, async (system) => {
    const statuses = await round(system, count, random, options.say);
    const found = [await disagreements(system), doubledEffects(system), await auditFlaws(system)];
    for (const line of found.flat()) options.say(line);
    const ends = [...new Set(statuses)].map((status) => `${statuses.filter((s) => s === status).length} ${status}`);
    return [
      {
        what: `${count} ${what}: disagreeing / doubled / audit`,
        bound: '0 / 0 / 0',
        measured: `${found.map((lines) => lines.length).join(' / ')}; ${ends.join(', ')} (seed ${random.seed})`,
        holds: found.flat().length === 0,
      },
    ];
  });
}

/** A task that is submitted, approved and executed within a second or two, on an instance of its own. */
async function run(system: System, name: string): Promise<string> {
  const { api } = system;
  await makeRunning(system, name);
  const id = await api.submit('delete_instance', { instance_id: name });
  void api.confirm(id, true).catch(() => undefined);
  return id;
}

async function cancels(system: System, count: number, random: Random, say: BenchOptions['say']): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, AT_A_TIME, async (index) => {
    const id = await run(system, `cancel-${index}`);
    await pause(random.between(0, 1_500));
    await system.api.cancel(id);
    ids.push(id);
    if (ids.length % 50 === 0) say(`${ids.length} cancelled`);
  });
  return Promise.all(ids.map(async (id) => (await system.api.end(id)).status));
}

async function kills(system: System, count: number, random: Random, say: BenchOptions['say']): Promise<string[]> {
  const { api, worker } = system;
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    ids.push(await run(system, `kill-${index}`));
    await pause(random.between(0, 600));
    await worker.kill9();
    await worker.start();
    if ((index + 1) % 20 === 0) say(`${index + 1} kills`);
  }
  const statuses: string[] = [];
  for (const id of ids) {
    // The decision of a caller who was cut off has to be repeated, until there is a plan again to decide on.
    await until('the decision', async () => (await api.confirm(id, true)).status === 200, DECIDED_MS);
    const isOver = (status: string) => ['COMPLETED', 'FAILED', 'TERMINATED'].includes(status);
    await until('the end', async () => isOver((await api.get(id)).status), DECIDED_MS);
    statuses.push((await api.get(id)).status);
  }
  return statuses;
}
