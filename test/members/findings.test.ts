// What nobody seems to know is found, told once, and resolved when it is no longer so; nothing is stopped for it.
import { DeleteTagsCommand } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import { findingAnswer } from '../../api/fleet-fields.ts';
import type { FindingReport } from '../../activities/findings.ts';
import { reconcileScheduleId, sweepScheduleId } from '../../worker/schedules.ts';
import { bodyOn, member, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
  await system.temporal.schedule.getHandle(sweepScheduleId(system.taskQueue)).pause();
  await system.temporal.schedule.getHandle(reconcileScheduleId(system.taskQueue)).pause();
}, 60_000);
afterAll(() => system?.stop(), 30_000);

let runs = 0;
const reconcile = async (): Promise<FindingReport> => {
  runs += 1;
  const workflowId = `${system.taskQueue}-reconcile-${runs}`;
  const report: { readonly found: FindingReport } = await system.temporal.workflow.execute('reconcile', {
    taskQueue: system.taskQueue,
    workflowId,
  });
  return report.found;
};
const findings = async (query = '?open=true') => {
  const { body } = await system.api.call('GET', `/api/v1/findings${query}`);
  return z.array(findingAnswer).parse(body);
};
const subjects = async (kind: string, open = true) =>
  (await findings(`?open=${open}&kind=${kind}`)).map(({ subject }) => subject);
const eventsOf = async (ref: string) => {
  const { body } = await system.api.call('GET', `/api/v1/members/${ref}/events`);
  return z.array(z.looseObject({ kind: z.string(), says: z.string() })).parse(body);
};
/** As if nobody had looked at it for ten minutes. */
const age = (id: string) =>
  system.db.query(
    `update members set observed_at = observed_at - interval '10 minutes', registered_at = registered_at - interval '10 minutes'
     where id = $1`,
    [id],
  );
const targetOf = async (name: string) => `us-east-1/${await system.cloud.idOf(name)}`;

test('a running instance with a tag of ours and no member, until it is registered or loses the tag', async () => {
  expect(await reconcile()).toEqual({ withoutMember: 0, withoutInstance: 0, withoutWorkflow: 0, freed: 0 });
  await system.cloud.make('orphan-1', { 'managed-by': 'fermata' });
  const second = await system.cloud.make('orphan-2', { 'fermata:member': 'somebody' });
  await system.cloud.make('not-ours', { 'managed-by': 'terraform' });
  expect((await reconcile()).withoutMember).toBe(2);
  const both = [await targetOf('orphan-1'), await targetOf('orphan-2')].sort();
  expect((await subjects('instance_without_member')).sort()).toEqual(both);
  const [{ first_seen_at: firstSeenAt } = { first_seen_at: '' }] = await findings();
  await reconcile();
  const [again] = await findings();
  expect(again?.first_seen_at).toBe(firstSeenAt);
  expect(Date.parse(again?.last_seen_at ?? '')).toBeGreaterThan(Date.parse(firstSeenAt));

  await register(system, 'orphan-1');
  // Found twice, told once: the member's first event is from before its time.
  const told = (await eventsOf('orphan-1')).filter(({ kind }) => kind === 'instance_without_member');
  expect(told).toEqual([expect.objectContaining({ says: expect.stringContaining('is no member') })]);
  await system.cloud.ec2.send(new DeleteTagsCommand({ Resources: [second], Tags: [{ Key: 'fermata:member' }] }));
  await system.cloud.fault({ action: 'DescribeInstances', kind: 'error', times: -1 });
  await reconcile();
  expect(await subjects('instance_without_member')).toHaveLength(2);
  await system.cloud.clearFaults();
  expect((await reconcile()).withoutMember).toBe(0);
  expect(await subjects('instance_without_member')).toEqual([]);
  expect((await subjects('instance_without_member', false)).sort()).toEqual(both);
  expect(system.cloud.effects('StopInstances', 'TerminateInstances')).toEqual([]);
}, 60_000);

test('a member whose instance was terminated: an event, a finding, no more cost; resolved when it is removed', async () => {
  const { member_id: id } = await register(system, 'vm-prod-02');
  await system.cloud.control('instances/vm-prod-02/fail', { state: 'terminated' });
  expect((await reconcile()).withoutInstance).toBe(0);
  await age(id);
  expect((await reconcile()).withoutInstance).toBe(1);
  expect(await subjects('member_without_instance')).toEqual([id]);
  await reconcile();
  const told = (await eventsOf(id)).filter(({ kind }) => kind === 'member_without_instance');
  expect(told).toEqual([
    expect.objectContaining({ says: expect.stringMatching(/^The instance of vm-prod-02 .* is terminated\.$/) }),
  ]);
  const { body } = await system.api.call('GET', `/api/v1/members/${id}`);
  expect(body).toMatchObject({ state: 'terminated', cost: { usd_per_hour: 0, session_usd: 0 } });
  await system.db.query('delete from members where id = $1', [id]);
  await reconcile();
  expect(await subjects('member_without_instance')).toEqual([]);
}, 60_000);

test('a member whose instance is nowhere: what it cost ends when it was last seen, and it comes back when it is found', async () => {
  const { member_id: id } = await register(system, 'vm-staging-01');
  const instance = await system.cloud.idOf('vm-staging-01');
  const point = (to: string) =>
    system.db.query(
      `update members set settings = jsonb_set(settings, '{cloud,instanceId}', to_jsonb($2::text)) where id = $1`,
      [id, to],
    );
  await point('i-0123456789abcdef0');
  await age(id);
  await reconcile();
  expect(await subjects('member_without_instance')).toEqual([id]);
  const { rows } = await system.db.query(
    `select t.to_at = greatest(t.from_at, m.observed_at) as "asSeen", m.state from members m
     join machine_time t on t.member_id = m.id where m.id = $1`,
    [id],
  );
  expect(rows).toEqual([{ asSeen: true, state: null }]);
  await point(instance);
  await reconcile();
  expect(await subjects('member_without_instance')).toEqual([]);
  const { body } = await system.api.call('GET', `/api/v1/members/${id}`);
  expect(member.parse(body).state).toBe('running');
}, 60_000);

test('a member on an instance that never was', async () => {
  const body = bodyOn(system, 'phantom', 'i-0fedcba9876543210');
  const { status, body: answer } = await system.api.call('POST', '/api/v1/members', body);
  expect(status).toBe(201);
  const { member_id: id } = member.parse(answer);
  await reconcile();
  expect(await subjects('member_without_instance')).toEqual([]);
  await age(id);
  await reconcile();
  expect(await subjects('member_without_instance')).toEqual([id]);
  expect((await eventsOf(id)).map(({ kind }) => kind)).toEqual(['member_without_instance', 'registered']);
}, 60_000);

test('seen again unchanged, a member is as fresh as the look', async () => {
  const { member_id: id } = await register(system, 'web-1');
  await age(id);
  await reconcile();
  const { body } = await system.api.call('GET', `/api/v1/members/${id}`);
  expect(z.looseObject({ observed_age_s: z.number() }).parse(body).observed_age_s).toBeLessThan(60);
}, 60_000);

test('a lease whose workflow is gone is found, and given back when it still is two minutes later', async () => {
  const { member_id: id } = await register(system, 'web-2');
  const target = await targetOf('web-2');
  const holder = 'task-01234567-89ab-4cde-8f01-23456789abcd';
  const live = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
  await system.api.reach(live, 'AWAITING_CONFIRMATION');
  const { workflowExecutionInfo: info } = (await system.temporal.workflow.getHandle(`task-${live}`).describe()).raw;
  const insert = (by: string, runId: string) =>
    system.db.query(
      `insert into leases (target, holder, mode, holder_run_id, taken_at) values ($1, $2, 'shared', $3, now())`,
      [target, by, runId],
    );
  await insert(holder, 'none');
  await insert(`task-${live}`, info?.execution?.runId ?? '');
  expect(await reconcile()).toMatchObject({ withoutWorkflow: 1, freed: 0 });
  expect(await subjects('lease_without_workflow')).toEqual([`${target} ${holder}`]);
  expect(await reconcile()).toMatchObject({ withoutWorkflow: 1, freed: 0 });
  await system.db.query(
    `update findings set first_seen_at = first_seen_at - interval '3 minutes' where kind = 'lease_without_workflow'`,
  );
  expect(await reconcile()).toMatchObject({ withoutWorkflow: 0, freed: 1 });
  expect(await subjects('lease_without_workflow')).toEqual([]);
  const { rows } = await system.db.query('select holder from leases where target = $1', [target]);
  expect(rows).toEqual([{ holder: `task-${live}` }]);
  expect((await eventsOf(id)).filter(({ kind }) => kind.startsWith('lease_'))).toEqual([
    expect.objectContaining({ kind: 'lease_freed', says: expect.stringContaining(holder) }),
    expect.objectContaining({ kind: 'lease_without_workflow', says: expect.stringContaining(holder) }),
  ]);
}, 60_000);

test('a task that was lost is shown for a day', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.temporal.workflow.getHandle(`task-${id}`).terminate('by hand');
  await system.db.query("update tasks set updated_at = updated_at - interval '1 minute' where id = $1", [id]);
  await reconcile();
  expect(await subjects('task_lost')).toEqual([id]);
  await system.db.query(
    "update findings set last_seen_at = last_seen_at - interval '25 hours' where kind = 'task_lost'",
  );
  await reconcile();
  expect(await subjects('task_lost')).toEqual([]);
}, 60_000);

test('findings are paged, newest first, and a cursor of somebody else is refused', async () => {
  const all = await findings('');
  expect(all.length).toBeGreaterThan(3);
  const seen: unknown[] = [];
  let next: string | undefined = '?limit=2';
  while (next !== undefined) {
    const answer = await system.api.call('GET', `/api/v1/findings${next}`);
    seen.push(...z.array(findingAnswer).parse(answer.body));
    next = /<\/api\/v1\/findings(\?[^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
  }
  expect(seen).toEqual(all);
  expect(all.map(({ first_seen_at }) => first_seen_at)).toEqual(
    all
      .map(({ first_seen_at }) => first_seen_at)
      .sort()
      .reverse(),
  );
  const cursor = (...place: string[]) => `cursor=${Buffer.from(JSON.stringify(place)).toString('base64url')}`;
  for (const query of [
    'cursor=abc',
    cursor('x', 'task_lost', 'a'),
    cursor('0000-01-01T00:00:00Z', 'task_lost', 'a'),
    cursor('2030-01-01T00:00:00Z', 'task_lost', '\0'),
    'open=maybe',
    'kind=x',
  ]) {
    expect([query, (await system.api.call('GET', `/api/v1/findings?${query}`)).status]).toEqual([query, 422]);
  }
});
