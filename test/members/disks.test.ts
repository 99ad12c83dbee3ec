// What disks cost, on machines of the sandbox: by the month, running or stopped, looked at once an hour, and unknown where nobody may look.
import { RunInstancesCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { fleetAnswer, memberCostAnswer } from '../../api/fleet-fields.ts';
import { openPostgres } from '../../clients/postgres.ts';
import { keepDisks } from '../../store/disks.ts';
import { reconcileScheduleId, sweepScheduleId } from '../../worker/schedules.ts';
import { ended, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { prices: { as_of: '2030-01-01', usd_per_gib_month: { gp2: 0.5 } } } });
  await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).pause();
  await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).pause();
  await launch('large', { VolumeType: 'io2', VolumeSize: 100, Iops: 4_000 });
  await launch('own-price', { VolumeType: 'gp2', VolumeSize: 40 });
  for (const name of ['large', 'own-price', 'vm-dev-01']) await register(system, name);
  const plain = { host: '127.0.0.1', port: 9, username: 'me', key_path: '/none', work_folder: '/tmp' };
  await system.api.call('POST', '/api/v1/members', { friendly_name: 'a-host', ...plain });
}, 90_000);
afterAll(() => system?.stop(), 30_000);
afterEach(() => system.cloud.clearFaults());

async function launch(
  name: string,
  Ebs: { readonly VolumeType: 'io2' | 'gp2'; readonly VolumeSize: number; readonly Iops?: number },
): Promise<void> {
  const { ec2, stateOf } = system.cloud;
  await ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-12345678',
      InstanceType: 't3.micro',
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }] }],
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs }],
    }),
  );
  await until(`${name} runs`, async () => (await stateOf(name)) === 'running');
}

let sweeps = 0;
const sweep = async () => {
  sweeps += 1;
  const workflowId = `${system.taskQueue}-disks-${sweeps}`;
  const report: unknown = await system.temporal.workflow.execute('sweepIdle', {
    workflowId,
    taskQueue: system.taskQueue,
  });
  return z.object({ disksCalls: z.int() }).parse(report);
};
const fleet = async () => {
  const { totals, members } = fleetAnswer.parse((await system.api.call('GET', '/api/v1/fleet')).body);
  return {
    totals,
    disks: Object.fromEntries(members.map((row) => [row.friendly_name, row.disks_usd_per_month])),
    seen: members.map((row) => row.disks_seen_at !== null && row.disks_seen_age_s !== null),
  };
};
/** As if so much time had gone by since the last look. */
const passed = (span: string) =>
  system.db.query(
    'update members set disks_due_at = disks_due_at - $1::interval, disks_seen_at = disks_seen_at - $1::interval',
    [span],
  );
const memberNamed = async (name: string) =>
  z
    .object({ id: z.string() })
    .parse((await system.db.query('select id from members where name_key = $1', [name])).rows[0]);
const DISK = { kind: 'gp2', sizeGib: 40, iops: null, throughputMibps: null, machines: 1 };
const costOf = async (name: string) => {
  const { body } = await system.api.call('GET', `/api/v1/members/${name}`);
  return z.looseObject({ cost: memberCostAnswer.nullable() }).parse(body).cost;
};

test('where nobody may look it is not known, and the sweep goes on', async () => {
  expect((await costOf('large'))?.storage).toBeNull();
  await system.cloud.fault({
    action: 'DescribeVolumes',
    kind: 'error',
    code: 'UnauthorizedOperation',
    status: 403,
    times: -1,
  });
  expect(await sweep()).toEqual({ disksCalls: 1 });
  const { totals, disks } = await fleet();
  expect(totals).toMatchObject({ disks_unknown: 3, disks_usd_per_month: null });
  expect(disks).toEqual({ 'a-host': null, large: null, 'own-price': null, 'vm-dev-01': null });
  expect((await costOf('vm-dev-01'))?.session_text).toBe('It does not run.');
  // What is missing is not there a minute later: it is asked for again after ten.
  expect(await sweep()).toEqual({ disksCalls: 0 });
  await passed('10 minutes');
}, 60_000);

test('a cloud that hangs keeps the sweep for no more than its ten seconds', async () => {
  await system.cloud.fault({ action: 'DescribeVolumes', kind: 'hang', times: 1 });
  const began = Date.now();
  expect(await sweep()).toEqual({ disksCalls: 1 });
  // Its request is given up after eight; half a minute is a bound that a busy machine keeps too.
  expect(Date.now() - began).toBeLessThan(30_000);
  expect((await fleet()).totals).toMatchObject({ disks_unknown: 3, disks_seen_at: null, disks_seen_age_s: null });
  await passed('10 minutes');
}, 60_000);

test('each machine with what its disks cost by the month, by the table and by config', async () => {
  expect(await sweep()).toEqual({ disksCalls: 1 });
  expect((await costOf('large'))?.storage).toMatchObject({
    disks: 1,
    gib: 100,
    // 100 GiB at $0.125, and 4,000 IOPS at $0.065.
    usd_per_month: 272.5,
    price_says: 'list price of us-east-1 as of 2025-01-15',
  });
  expect((await costOf('own-price'))?.storage).toMatchObject({
    gib: 40,
    usd_per_month: 20,
    price_says: 'price of 2030-01-01 from config',
  });
  const { totals, disks, seen } = await fleet();
  expect(disks).toEqual({ 'a-host': null, large: 272.5, 'own-price': 20, 'vm-dev-01': 0.64 });
  expect(seen).toEqual([false, true, true, true]);
  expect(totals).toMatchObject({ disks_unknown: 0, disks_usd_per_month: 293.14 });
  expect(await costOf('a-host')).toBeNull();
}, 60_000);

test('they are looked at again after an hour, not before', async () => {
  await system.db.query("update members set disks = '[]' where disks is not null");
  await passed('59 minutes');
  expect(await sweep()).toEqual({ disksCalls: 0 });
  const { totals } = await fleet();
  expect(totals.disks_usd_per_month).toBe(0);
  expect(totals.disks_seen_age_s).toBeGreaterThanOrEqual(59 * 60);
  await passed('1 minute');
  expect(await sweep()).toEqual({ disksCalls: 1 });
  expect((await fleet()).totals).toMatchObject({ disks_usd_per_month: 293.14 });
  expect((await fleet()).totals.disks_seen_age_s).toBeLessThan(59 * 60);
}, 60_000);

test('a stopped machine costs its disks and no hours', async () => {
  const running = await costOf('large');
  expect(running).toMatchObject({ usd_per_hour: 0.0104 });
  const { body } = await system.api.call('POST', '/api/v1/members/large/stop');
  await ended(system, z.object({ task_id: z.string() }).parse(body).task_id);
  expect(await costOf('large')).toMatchObject({
    usd_per_hour: 0,
    session_usd: 0,
    session_text: 'It does not run: only its disks are billed, $272.50 a month.',
    storage: { usd_per_month: 272.5 },
  });
}, 60_000);

test('a terminated one costs nothing from then on, and what Fermata cannot find is in no sum', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'own-price' });
  await until('it is asked for', async () => (await system.api.confirm(id, true)).status === 200);
  expect((await ended(system, id)).status).toBe('COMPLETED');
  expect(await costOf('own-price')).toMatchObject({ storage: null, session_text: 'It does not run.' });
  const postgres = openPostgres(system.databaseUrl, 1);
  const { id: member } = await memberNamed('own-price');
  // A look that had begun before, and answers late.
  await keepDisks(postgres.db, [{ id: member, disks: [DISK] }], 1).finally(() => postgres.close());
  expect((await costOf('own-price'))?.storage).toBeNull();
  await system.api.call('PATCH', '/api/v1/members/vm-dev-01', { friendly_name: 'renamed' });
  expect((await fleet()).totals).toMatchObject({ disks_unknown: 0, disks_usd_per_month: 273.14 });
  await register(system, 'vm-staging-01');
  await system.db.query("update members set state = null where name_key = 'vm-staging-01'");
  expect((await fleet()).totals).toMatchObject({ disks_unknown: 0, disks_usd_per_month: 273.14 });
  // The renamed one and, seen by this sweep, the new one: a change of a member is a reason to look.
  expect(await sweep()).toEqual({ disksCalls: 1 });
  expect((await fleet()).disks).toMatchObject({ renamed: 0.64, 'vm-staging-01': 0.64, 'own-price': null });
}, 90_000);
