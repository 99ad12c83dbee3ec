// What watching costs: many jobs on many machines while nothing changes, in links, calls, processor time and workflow tasks.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { register } from '../test/kit/members.ts';
import { jobIs, startJob } from '../test/kit/jobs.ts';
import type { System } from '../test/kit/system.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';
import { inParallel } from './statistics.ts';

const JOBS = 200;
const MACHINES = 20;
const WATCHED_MS = 60_000;
/** By then all are looked at as seldom as ever. */
const SETTLED_MS = 45_000;
/** `getconf CLK_TCK` on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export const jobWatch: Measurement = {
  name: 'job-watch',
  about: `watching ${JOBS} jobs on ${MACHINES} machines while nothing changes`,
  run: (options) => withSystem({}, (system) => watch(system, options)),
};

async function watch(system: System, { say }: BenchOptions): Promise<Finding[]> {
  const names = Array.from({ length: MACHINES }, (_, index) => `watched-${index}`);
  await inParallel(MACHINES, 4, async (index) => {
    const name = names[index] ?? '';
    await system.cloud.make(name);
    await register(system, name, { job_slots: JOBS / MACHINES });
  });
  const ids: string[] = [];
  await inParallel(JOBS, 8, async (index) => {
    ids.push(await startJob(system, names[index % MACHINES] ?? '', 'sleep 900'));
  });
  await inParallel(JOBS, 8, (index) => jobIs(system, ids[index] ?? '', ['running'], 300_000));
  say(`${ids.length} jobs run`);
  await pause(SETTLED_MS);
  const before = { cpu: cpuSeconds(system.worker.pid), events: await eventsIn(system, ids) };
  let looks = 0;
  let links = 0;
  let last = await lookedAt(system);
  for (const until = Date.now() + WATCHED_MS; Date.now() < until;) {
    await pause(1_000);
    const now = await lookedAt(system);
    looks += [...now].filter(([id, at]) => last.get(id) !== at).length;
    last = now;
    links = Math.max(links, await linksOf(system));
  }
  const cpu = cpuSeconds(system.worker.pid) - before.cpu;
  const events = (await eventsIn(system, ids)) - before.events;
  return [
    {
      what: `${JOBS} jobs watched: SSH links`,
      bound: `<= ${MACHINES * 3}`,
      measured: String(links),
      holds: links <= MACHINES * 3,
    },
    {
      what: `${JOBS} jobs watched: looks a minute`,
      bound: '',
      measured: `${looks}, ${(looks / JOBS).toFixed(1)} a job`,
    },
    {
      what: `${JOBS} jobs watched: processor of the worker`,
      bound: '',
      measured: `${((cpu / WATCHED_MS) * 100_000).toFixed(0)} % of a core`,
    },
    {
      what: `${JOBS} jobs watched: events in their histories`,
      bound: '0',
      measured: String(events),
      holds: events === 0,
    },
  ];
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function eventsIn({ temporal }: System, ids: readonly string[]): Promise<number> {
  let events = 0;
  await inParallel(ids.length, 8, async (index) => {
    const { events: all = [] } = await temporal.workflow.getHandle(ids[index] ?? '').fetchHistory();
    events += all?.length ?? 0;
  });
  return events;
}

async function lookedAt({ db }: System): Promise<Map<string, string>> {
  const { rows } = await db.query<{ id: string; at: string }>('select id, looked_at::text as at from jobs');
  return new Map(rows.map(({ id, at }) => [id, at]));
}

const instances = z.looseObject({
  instances: z.array(z.looseObject({ ssh: z.object({ links: z.number() }).loose().nullable() })),
});

async function linksOf({ cloud }: System): Promise<number> {
  const answer: unknown = await (await fetch(`${String(cloud.process.ready.ec2)}/_sandbox/instances`)).json();
  return instances.parse(answer).instances.reduce((sum, { ssh }) => sum + (ssh?.links ?? 0), 0);
}
