// A thousand members on a thousand running machines: what one sweep costs, and how soon the fleet is answered.
import { DescribeInstancesCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { reconcileScheduleId, sweepScheduleId } from '../worker/schedules.ts';
import { costOf } from '../test/kit/history.ts';
import { register } from '../test/kit/members.ts';
import type { System } from '../test/kit/system.ts';
import { until } from '../test/kit/until.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { withSystem } from './servers.ts';
import { quantile, spread, timed } from './statistics.ts';

const MEMBERS = 1_000;
/** Most instances of an account are nobody's member. */
const INSTANCES = 10_000;
const A_LAUNCH = 250;
/** Two hundred instances in one. */
const CALLS = Math.ceil(MEMBERS / 200);
const ANSWERS = 100;
/** The next sweep begins after a minute. */
const SWEEP_S = 50;

/** What a sweep says of itself. */
const report = z.object({
  looked: z.int(),
  probed: z.int(),
  unreachable: z.int(),
  calls: z.int(),
  disksCalls: z.int(),
});

export const fleet: Measurement = {
  name: 'fleet',
  about: `one sweep over ${MEMBERS} running members among ${INSTANCES} instances, and the answer to GET /api/v1/fleet`,
  run: (options: BenchOptions) =>
    withSystem({ sandboxArgs: ['--max-instances', String(INSTANCES + 100)] }, async (system) => {
      // A sweep in between would be measured with the others.
      await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).pause();
      await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).pause();
      const ids = await launch(system);
      options.say(`${ids.length} instances run`);
      await registerAll(system, ids.slice(0, MEMBERS));
      return [
        ...(await sweep(system, 'first sweep', CALLS, options)),
        ...(await sweep(system, 'second sweep', 0, options)),
        ...(await answers(system)),
      ];
    }),
};

async function launch({ cloud }: System): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < INSTANCES; from += A_LAUNCH) {
    const count = Math.min(A_LAUNCH, INSTANCES - from);
    const command = { ImageId: 'ami-12345678', InstanceType: 't3.micro', MinCount: count, MaxCount: count } as const;
    const { Instances = [] } = await cloud.ec2.send(new RunInstancesCommand(command));
    ids.push(...Instances.flatMap(({ InstanceId }) => InstanceId ?? []));
  }
  const pending = { Filters: [{ Name: 'instance-state-name', Values: ['pending'] }] };
  await until(
    'all run',
    async () => (await cloud.ec2.send(new DescribeInstancesCommand(pending))).Reservations?.length === 0,
  );
  return ids;
}

/** Registers one as callers do and the others as copies of its row: a thousand looks by SSH would measure something else. */
async function registerAll(system: System, ids: readonly string[]): Promise<void> {
  const [first = '', ...others] = ids;
  const { member_id: id } = await register(system, first);
  await system.db.query(
    `insert into members (id, tenant, name_key, target, settings, registered_by, registered_at, updated_at)
     select gen_random_uuid(), tenant, 'copy-' || other, 'us-east-1/' || other,
       jsonb_set(jsonb_set(settings, '{cloud,instanceId}', to_jsonb(other)), '{name}', to_jsonb('copy-' || other)),
       'bench', now(), now()
     from members, unnest($2::text[]) other where id = $1`,
    [id, others],
  );
}

/** Disks are looked at once an hour, which is by the first sweep. */
async function sweep(system: System, what: string, disksMost: number, { say }: BenchOptions): Promise<Finding[]> {
  const { temporal, taskQueue, db } = system;
  await db.query('update members set probe_due_at = now()');
  const workflowId = `${taskQueue}-${what.replaceAll(' ', '-')}`;
  const began = performance.now();
  const { looked, probed, unreachable, calls, disksCalls } = report.parse(
    await temporal.workflow.execute('sweepIdle', { taskQueue, workflowId }),
  );
  const seconds = (performance.now() - began) / 1000;
  const { workflowTasks, events } = await costOf(temporal, workflowId);
  say(`${what}: ${probed} of ${looked} probed in ${seconds.toFixed(1)} s, ${unreachable} unreachable`);
  return [
    {
      what: `${what} of ${looked} members`,
      bound: `<= ${SWEEP_S} s`,
      measured: `${seconds.toFixed(1)} s: ${probed} probed, ${unreachable} unreachable`,
      holds: seconds <= SWEEP_S && looked === MEMBERS,
    },
    {
      what: `${what}: calls to EC2 that describe`,
      bound: `<= ${CALLS}`,
      measured: String(calls),
      holds: calls <= CALLS,
    },
    {
      what: `${what}: calls to EC2 for disks`,
      bound: `<= ${disksMost}`,
      measured: String(disksCalls),
      holds: disksCalls <= disksMost,
    },
    {
      what: `${what}: workflow tasks / events`,
      bound: '<= 2 / 16',
      measured: `${workflowTasks} / ${events}`,
      holds: workflowTasks <= 2 && events <= 16,
    },
  ];
}

async function answers({ api }: System): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const limit of [MEMBERS, 100]) {
    const times: number[] = [];
    for (let index = 0; index < ANSWERS; index += 1) {
      times.push(await timed(() => api.call('GET', `/api/v1/fleet?limit=${limit}`)));
    }
    findings.push({
      what: `GET /api/v1/fleet, ${limit} of ${MEMBERS} members, p95`,
      bound: '',
      measured: `${quantile(times, 0.95).toFixed(0)} ms, median ${spread(times, ' ms')}`,
    });
  }
  return findings;
}
