// Executing: one effect whatever is lost on the way, errors told apart, superseded plans, deadlines, undo and leases.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      confirmation: { timeout_seconds: 20 },
      execution: {
        retry_delay_seconds: 0.2,
        max_retries: 3,
        operation_timeout_seconds: { restart_instance: 4 },
        lease_wait_seconds: 2,
      },
    },
  });
});
afterAll(() => system?.stop());
afterEach(() => system.cloud.clearFaults());

const made: string[] = [];
async function instance(): Promise<string> {
  const name = `machine-${made.length}`;
  made.push(name);
  await system.cloud.make(name);
  return name;
}

async function approved(operation: string, params: Record<string, unknown>): Promise<string> {
  const id = await system.api.submit(operation, params);
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  const answer = await system.api.confirm(id, true);
  expect(answer.status).toBe(200);
  return id;
}

test.each([['lost_answer'], ['lost_answer_slow']])('an answer lost by %s leaves one effect', async (kind) => {
  const name = await instance();
  await system.cloud.fault({ action: 'TerminateInstances', kind });
  const id = await approved('delete_instance', { instance_id: name });
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', result: { status: 'DELETED' } });
  const instanceId = await system.cloud.idOf(name);
  const effects = system.cloud.effects('TerminateInstances').filter((line) => line.instance_ids.includes(instanceId));
  expect(effects).toHaveLength(1);
});

test('a reboot whose answer is lost is not repeated, and its checks show that it happened', async () => {
  const name = await instance();
  const instanceId = await system.cloud.idOf(name);
  await system.cloud.fault({ action: 'RebootInstances', kind: 'lost_answer' });
  const id = await system.api.submit('restart_instance', { instance_id: name });
  expect(['COMPLETED', 'FAILED']).toContain((await system.api.end(id)).status);
  expect(system.cloud.effects('RebootInstances').filter((line) => line.instance_ids.includes(instanceId))).toHaveLength(
    1,
  );
});

test('throttling is retried as config says and counted, and then it works', async () => {
  const name = await instance();
  await system.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: 2 });
  const id = await system.api.submit('stop_instance', { instance_id: name });
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', attempts: 3 });
});

test('after max_retries + 1 attempts it has failed, with the cloud’s own words', async () => {
  const name = await instance();
  await system.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: -1 });
  const id = await system.api.submit('stop_instance', { instance_id: name });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'retries_exhausted', attempts: 4 });
  expect(ended.error).toContain('RequestLimitExceeded');
});

test('a typo of a name fails at the first attempt, before anybody is asked', async () => {
  const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-1' });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'not_found', error: "Instance 'vm-prod-1' not found." });
  expect((await system.api.events(id)).map((event) => event.to)).toEqual(['PENDING', 'FAILED']);
});

test('an ambiguous name is a conflict that lists the ids', async () => {
  const ids = [await system.cloud.make('twin'), await system.cloud.make('twin')];
  const id = await system.api.submit('delete_instance', { instance_id: 'twin' });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'conflict' });
  for (const each of ids) expect(ended.error).toContain(each);
});

test('an instance that changed after the plan is superseded, and not touched', async () => {
  const name = await instance();
  const instanceId = await system.cloud.idOf(name);
  const id = await system.api.submit('delete_instance', { instance_id: name });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  await system.cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' });
  expect((await system.api.confirm(id, true)).status).toBe(200);
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'superseded' });
  expect(ended.error).toContain('state was running and is stopped');
  expect(system.cloud.effects('TerminateInstances').some((line) => line.instance_ids.includes(instanceId))).toBe(false);
});

test('the deadline ends what hangs, and says so in the contract’s words', async () => {
  const name = await instance();
  await system.cloud.control(`instances/${name}/checks`, { status: 'impaired' });
  await system.cloud.fault({ action: 'RebootInstances', kind: 'hang', times: -1 });
  const id = await system.api.submit('restart_instance', { instance_id: name });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'deadline_exceeded' });
  expect(ended.error).toBe(`Task '${id}' exceeded timeout of 4s.`);
});

test('a failed roll-out stops at the failed batch and puts the former tags back', async () => {
  await Promise.all([1, 2, 3].map((n) => system.cloud.make(`shop-${n}`, { service: 'shop', image: 'v1' })));
  await system.cloud.control('instances/shop-2/checks', { status: 'impaired' });
  const id = await approved('deploy_to_production', { service_name: 'shop', image_tag: 'v2' });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'failed' });
  expect(ended.error).toContain('impaired');
  for (const name of ['shop-1', 'shop-2', 'shop-3']) {
    const { Tags = [] } = await system.cloud.find(name);
    expect(Tags.find(({ Key }) => Key === 'image')?.Value).toBe('v1');
  }
  expect((await system.api.events(id)).map((event) => event.phase)).toContain('undoing');
});

test('a busy target is waited for, and then it is a conflict that names the holder', async () => {
  const name = await instance();
  const instanceId = await system.cloud.idOf(name);
  const holder = 'task-00000000-0000-4000-8000-000000000001';
  await system.temporal.workflow.start('runTask', {
    workflowId: holder,
    taskQueue: 'nobody-works-here',
    args: [{}],
  });
  const { runId = '' } = await system.temporal.workflow.getHandle(holder).describe();
  await system.db.query(
    'insert into leases (target, holder, mode, holder_run_id, taken_at) values ($1, $2, $3, $4, now())',
    [`us-east-1/${instanceId}`, holder, 'exclusive', runId],
  );
  const id = await system.api.submit('stop_instance', { instance_id: name });
  const ended = await system.api.end(id);
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'conflict' });
  expect(ended.error).toContain(holder);
  expect(await system.cloud.stateOf(name)).toBe('running');
  // Its holder dies: the next one finds that out by looking, and goes on.
  await system.temporal.workflow.getHandle(holder).terminate();
  const next = await system.api.submit('stop_instance', { instance_id: name });
  expect((await system.api.end(next)).status).toBe('COMPLETED');
});
