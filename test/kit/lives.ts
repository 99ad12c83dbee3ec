// Random lives of machines on a whole system, side by side: for the tests in short, for the bench in long.
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { DescribeInstancesCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import type { Assessment, LifeRecord, Look } from './life-assess.ts';
import { assess, reactionsOf } from './life-assess.ts';
import { homeOf } from './hosts.ts';
import { Machine } from './life-drive.ts';
import type { Life, LivesOptions } from './life-plan.ts';
import { livesOf } from './life-plan.ts';
import { bodyOn, member } from './members.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

export interface LivesReport extends Assessment {
  readonly lives: number;
  readonly looks: number;
  readonly stops: number;
  /** Commands that were cut off, and machines that ran on at the end. */
  readonly lost: readonly string[];
  /** Whose stops there were besides. */
  readonly others: readonly string[];
}

/** A minute of the product's, shortened; grace in such minutes. */
export const TIME_SCALE = 0.1;
const GRACE_MIN = 1;
const MINUTE_MS = 60_000 * TIME_SCALE;

/** The config of a system on which lives are played: processors and network are shared with everybody here. */
export const LIVES_CONFIG = {
  idle: {
    time_scale: TIME_SCALE,
    grace_minutes: GRACE_MIN,
    cpu_busy_percent: null,
    network_busy_bytes_per_second: null,
  },
} as const;

/** For the last stop, beyond the window: sweeps that hang on machines that do not answer. */
const REST_MS = 60_000;
const WATCH_MS = 300;
const AT_ONCE = 6;

/** Plays them and judges what was done to each. */
export async function playLives(system: System, options: LivesOptions): Promise<LivesReport> {
  const lives = livesOf(options);
  const states = new Map<string, string>();
  const over = new AbortController();
  const instances = await launch(system, lives);
  const watching = watch(system, instances, states, over.signal);
  try {
    await until('all are seen', () => instances.every((id) => states.get(id) === 'running'));
    const machines: Machine[] = [];
    await eachOf(lives, async (life, index) => {
      machines.push(await settle(system, life, { instanceId: instances[index] ?? '', states }));
    });
    const restMs = (options.longestTimeoutMin + GRACE_MIN) * MINUTE_MS + REST_MS;
    await Promise.all(machines.map((machine) => machine.play(restMs)));
    return await judgeAll(system, machines);
  } finally {
    over.abort();
    await watching;
  }
}

/** Instances of the types that the lives need, in their order. */
async function launch({ cloud }: System, lives: readonly Life[]): Promise<string[]> {
  const made = new Map<string, string[]>();
  for (const type of ['g4dn.xlarge', 't3.micro'] as const) {
    const count = lives.filter((life) => life.type === type).length;
    if (count === 0) continue;
    const { Instances = [] } = await cloud.ec2.send(
      new RunInstancesCommand({ ImageId: 'ami-12345678', InstanceType: type, MinCount: count, MaxCount: count }),
    );
    made.set(
      type,
      Instances.flatMap(({ InstanceId }) => InstanceId ?? []),
    );
  }
  return lives.map(({ type }) => made.get(type)?.pop() ?? '');
}

/** Keeps the states of all up to date; one call for all of them. */
async function watch(
  { cloud }: System,
  ids: readonly string[],
  states: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { Reservations = [] } = await cloud.ec2.send(
      new DescribeInstancesCommand({ Filters: [{ Name: 'instance-id', Values: [...ids] }] }),
    );
    for (const { InstanceId = '', State } of Reservations.flatMap(({ Instances = [] }) => Instances)) {
      states.set(InstanceId, State?.Name ?? '');
    }
    await pause(WATCH_MS);
  }
}

async function settle(
  system: System,
  life: Life,
  ids: { readonly instanceId: string; readonly states: Map<string, string> },
): Promise<Machine> {
  const body = bodyOn(system, life.name, ids.instanceId, {
    cloud_idle_timeout_min: life.idleTimeoutMin,
    cloud_activity_command: 'cat ~/activity',
  });
  const { status, body: answer, text } = await system.api.call('POST', '/api/v1/members', body);
  if (status !== 201) throw new Error(`register ${life.name}: ${status} ${text}`);
  const { member_id: memberId } = member.parse(answer);
  const machine = new Machine(system, life, { memberId, ...ids });
  // Its home is made with the first command, at the latest by the first look of the sweep.
  await until(`${life.name} has a home`, () => existsSync(homeOf(system, ids.instanceId)));
  machine.say('idle');
  return machine;
}

async function eachOf<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) await work(item, index);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

const row = z.object({
  name: z.string(),
  at: z.date(),
  verdict: z.string(),
  next: z.string(),
  reasons: z.array(z.string()),
});
const effect = z.looseObject({
  action: z.string(),
  at: z.string(),
  changed: z.array(z.string()),
  principal: z.string().optional(),
});
/** By whose key the worker calls; the console has another. */
const OURS = 'sandbox';

async function judgeAll(system: System, machines: readonly Machine[]): Promise<LivesReport> {
  const endMs = Date.now();
  const looks = await looksOf(system);
  const turns = system.cloud.effects('StopInstances', 'StartInstances').map((line) => effect.parse(line));
  const records = machines.map(({ life, truth, instanceId }): LifeRecord => {
    const mine = turns.filter(({ changed }) => changed.includes(instanceId));
    return {
      name: life.name,
      windowMs: (life.idleTimeoutMin + GRACE_MIN) * MINUTE_MS,
      sweepMs: MINUTE_MS,
      spans: truth.spans(endMs),
      snoozes: truth.snoozes,
      touches: truth.touches,
      looks: looks.filter(({ name }) => name === life.name),
      stops: mine
        .filter(({ action }) => action === 'StopInstances')
        .map(({ at, principal }) => ({ atMs: Date.parse(at), ours: principal === OURS })),
      starts: mine.filter(({ action }) => action === 'StartInstances').map(({ at }) => Date.parse(at)),
    };
  });
  const slackMs = Math.max(0, ...records.flatMap(reactionsOf));
  const each = records.map((record) => assess(record, slackMs));
  const { rows } = await system.db.query<{ by: string }>(
    `select requested_by as by from tasks where operation = 'stop_instance' and requested_by <> 'policy/idle'`,
  );
  return {
    lives: machines.length,
    looks: looks.length,
    stops: records.flatMap(({ stops }) => stops.filter(({ ours }) => ours)).length,
    lost: machines.flatMap(({ truth }) => truth.lost),
    others: rows.map(({ by }) => by),
    compared: each.reduce((sum, { compared }) => sum + compared, 0),
    raced: each.reduce((sum, { raced }) => sum + raced, 0),
    wrong: each.flatMap(({ wrong }) => wrong),
    falseStops: each.flatMap(({ falseStops }) => falseStops),
    missedStops: each.flatMap(({ missedStops }) => missedStops),
    beyondWindowMs: each.flatMap(({ beyondWindowMs }) => beyondWindowMs),
    gapsMs: each.flatMap(({ gapsMs }) => gapsMs),
    reactionsMs: each.flatMap(({ reactionsMs }) => reactionsMs),
  };
}

/** A stop's own lease is nobody's use: what a sweep sees of it is left out. */
async function looksOf({ db }: System): Promise<(Look & { readonly name: string })[]> {
  const { rows } = await db.query(`
    select m.settings->>'name' as name, v.at, v.verdict, v.next, v.reasons from verdicts v
    join members m on m.id = v.member_id
    where not exists (
      select 1 from tasks t where t.operation = 'stop_instance' and v.reasons->>0 = 'held by task-' || t.id)
    order by v.id`);
  return z
    .array(row)
    .parse(rows)
    .map(({ at, ...look }) => ({ ...look, atMs: at.getTime() }));
}
