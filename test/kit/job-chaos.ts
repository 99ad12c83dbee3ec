// Jobs while workers are killed and machines cut off, stopped, rebooted and taken back: for the tests in short, for the bench in long.
import { setTimeout as pause } from 'node:timers/promises';
import { RebootInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { countingJob, countOf } from './counting.ts';
import type { Job } from './jobs.ts';
import { jobEnds, startJob } from './jobs.ts';
import { register } from './members.ts';
import type { Random } from './random.ts';
import type { System } from './system.ts';

export interface JobChaosOptions {
  readonly jobs: number;
  readonly machines: number;
  /** How long there is trouble. */
  readonly troubleMs: number;
  readonly random: Random;
  say(line: string): void;
}

export interface JobChaosReport {
  readonly completed: number;
  /** Jobs that ended otherwise, or did not count to the end. */
  readonly lost: readonly string[];
  readonly overlaps: number;
  readonly interruptions: number;
  readonly repeated: number;
  /** More steps were repeated than there are since a checkpoint, once for each run. */
  readonly beyondCheckpoint: readonly string[];
  readonly troubles: Readonly<Record<string, number>>;
  /** From each interruption to the next run, ms, in order. */
  readonly resumedMs: readonly number[];
}

const STEPS = 40;
const EVERY = 5;
const STEP_S = 1;
const END_MS = 15 * 60_000;

const TROUBLES = ['kill_worker', 'cut_links', 'stop', 'reboot', 'reclaim', 'reclaim_with_notice'] as const;
type Trouble = (typeof TROUBLES)[number];

interface Machine {
  readonly name: string;
  readonly instanceId: string;
}

/** Runs the jobs to their ends through the trouble, and counts what they did. */
export async function jobChaos(system: System, options: JobChaosOptions): Promise<JobChaosReport> {
  const { jobs, machines: count, random, say } = options;
  const machines: Machine[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `chaos-${index}`;
    const instanceId = await system.cloud.make(name);
    await register(system, name, { job_slots: Math.ceil(jobs / count) });
    machines.push({ name, instanceId });
  }
  const started = await Promise.all(
    Array.from({ length: jobs }, async (_, index) => {
      const machine = machines[index % count];
      if (!machine) throw new Error('no machines');
      const name = `work-${index}`;
      const { command, ...rest } = countingJob(name, STEPS, { every: EVERY, stepS: STEP_S });
      return { id: await startJob(system, machine.name, command, rest), name, machine };
    }),
  );
  say(`${jobs} jobs are started on ${count} machines`);
  const troubles: Record<string, number> = {};
  const until = Date.now() + options.troubleMs;
  while (Date.now() < until) {
    await pause(random.between(1_000, 6_000));
    const trouble = random.pick(TROUBLES);
    await make(system, trouble, random.pick(machines), random);
    troubles[trouble] = (troubles[trouble] ?? 0) + 1;
  }
  say(`the trouble is over: ${JSON.stringify(troubles)}`);
  const ends = await Promise.all(
    started.map(async (work) => ({ ...work, job: await jobEnds(system, work.id, END_MS).catch(String) })),
  );
  const counted = ends.map((end) => ({ ...end, count: countOf(system, end.machine.instanceId, end.name, STEPS) }));
  const good = counted.filter(({ job, count: { whole } }) => isCompleted(job) && whole);
  const bad = counted.filter((end) => !good.includes(end));
  return {
    completed: good.length,
    lost: bad.map(({ id, job, count: seen }) => `${id}: ${JSON.stringify(job)} ${JSON.stringify(seen)}`),
    overlaps: sum(counted.map(({ count: { overlaps } }) => overlaps)),
    interruptions: sum(counted.map(({ job }) => (typeof job === 'string' ? 0 : job.launches - 1))),
    repeated: sum(counted.map(({ count: { repeated } }) => repeated)),
    beyondCheckpoint: counted
      .filter(({ count: { repeated, runs } }) => repeated > EVERY * (runs - 1))
      .map(({ id, count: seen }) => `${id}: ${JSON.stringify(seen)}`),
    troubles,
    resumedMs: await resumedMs(system),
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
const isCompleted = (job: Job | string) => typeof job !== 'string' && job.status === 'completed';

async function make(system: System, trouble: Trouble, { instanceId }: Machine, random: Random): Promise<void> {
  const { cloud, workers } = system;
  const InstanceIds = [instanceId];
  // What is stopped or on its way cannot be stopped or rebooted: that is no trouble then.
  const unlessRefused = (call: Promise<unknown>) => call.catch(() => undefined);
  switch (trouble) {
    case 'kill_worker': {
      const worker = random.pick(workers);
      await worker.kill9();
      await worker.start();
      return;
    }
    case 'cut_links':
      // A link that is frozen for as long as this is given up.
      await cloud.control(`instances/${instanceId}/ssh`, { mode: random.pick(['freeze', 'refuse', 'hang']) });
      await pause(random.between(1_000, 18_000));
      await cloud.control(`instances/${instanceId}/ssh`, { mode: 'ok' });
      return;
    case 'stop':
    case 'reclaim':
      if (trouble === 'reclaim') {
        await unlessRefused(cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' }));
      } else await unlessRefused(cloud.ec2.send(new StopInstancesCommand({ InstanceIds })));
      return;
    case 'reboot':
      await unlessRefused(cloud.ec2.send(new RebootInstancesCommand({ InstanceIds })));
      return;
    case 'reclaim_with_notice':
      await cloud.control(`instances/${instanceId}/spot-notice`, { action: 'stop', in_seconds: 4 });
      await pause(4_000);
      await unlessRefused(cloud.ec2.send(new StopInstancesCommand({ InstanceIds })));
      await cloud.control(`instances/${instanceId}/spot-notice`, { action: null });
  }
}

async function resumedMs({ db }: System): Promise<number[]> {
  const { rows } = await db.query<{ ms: string }>(
    `select extract(epoch from (select min(r.at) from job_events r
       where r.job_id = e.job_id and r.id > e.id and r.state = 'running') - e.at) * 1000 as ms
     from job_events e where e.state = 'interrupted'`,
  );
  return rows
    .map(({ ms }) => Number(ms))
    .filter((ms) => ms > 0)
    .sort((a, b) => a - b);
}
