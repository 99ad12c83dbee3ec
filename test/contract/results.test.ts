// The results of every operation: the contract's keys in their order, its texts, and how each one fails.
import { z } from 'zod';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { keysOf } from './shapes.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 300 } } });
});
afterAll(() => system?.stop());

/** Runs a task to its end, approving it when it waits; the raw result, since its keys have an order. */
async function run(operation: string, params: Record<string, unknown>) {
  const id = await system.api.submit(operation, params);
  const seen = await system.api.reach(id, 'AWAITING_CONFIRMATION', 'COMPLETED', 'FAILED');
  if (seen.status === 'AWAITING_CONFIRMATION') {
    expect((await system.api.confirm(id, true)).status).toBe(200);
    await system.api.end(id);
  }
  const { body } = await system.api.call('GET', `/api/v1/tasks/${id}`);
  return z
    .object({
      task_id: z.string(),
      status: z.string(),
      result: z.unknown(),
      error: z.string().nullable(),
      reason: z.string().nullable(),
    })
    .parse(body);
}

test('list_instances shows the instances the contract names, with EC2 zones, types and states', async () => {
  const { status, result } = await run('list_instances', {});
  expect(status).toBe('COMPLETED');
  expect(keysOf(result)).toEqual(['instances', 'total_count']);
  const instance = z.looseObject({
    id: z.string(),
    zone: z.string(),
    status: z.string(),
    type: z.string(),
    name: z.string().nullable(),
  });
  const { instances, total_count } = z.object({ instances: z.array(instance), total_count: z.int() }).parse(result);
  expect(total_count).toBe(instances.length);
  for (const each of instances) {
    expect(keysOf(each).slice(0, 4)).toEqual(['id', 'zone', 'status', 'type']);
    expect(each).toMatchObject({
      id: expect.stringMatching(/^i-[0-9a-f]{17}$/),
      zone: expect.stringMatching(/^us-east-1[a-f]$/),
      status: expect.stringMatching(/^(PENDING|RUNNING|STOPPING|STOPPED|SHUTTING-DOWN|TERMINATED)$/),
      type: expect.stringMatching(/^[a-z0-9-]+\.[a-z0-9]+$/),
    });
  }
  const states = new Map(instances.map(({ name, status: state }) => [name, state]));
  const named = ['vm-prod-01', 'vm-prod-02', 'vm-staging-01', 'vm-dev-01'];
  expect(named.map((name) => states.get(name))).toEqual(['RUNNING', 'RUNNING', 'RUNNING', 'STOPPED']);
});

test('describe_instance shows one, by name and by id alike', async () => {
  const byName = await run('describe_instance', { instance_id: 'vm-prod-01' });
  expect(keysOf(byName.result).slice(0, 4)).toEqual(['id', 'zone', 'status', 'type']);
  const id = await system.cloud.idOf('vm-prod-01');
  expect(byName.result).toMatchObject({ id, status: 'RUNNING', name: 'vm-prod-01' });
  expect((await run('describe_instance', { instance_id: id })).result).toEqual(byName.result);
});

test('restart_instance', async () => {
  const { result, error } = await run('restart_instance', { instance_id: 'vm-prod-02' });
  expect(error).toBeNull();
  expect(keysOf(result).slice(0, 3)).toEqual(['status', 'instance_id', 'message']);
  const message = "Instance 'vm-prod-02' successfully restarted.";
  expect(result).toMatchObject({ status: 'RESTARTED', instance_id: 'vm-prod-02', message });
});

test('delete_instance', async () => {
  const { result } = await run('delete_instance', { instance_id: 'vm-staging-01' });
  expect(keysOf(result).slice(0, 3)).toEqual(['status', 'instance_id', 'message']);
  const message = "Instance 'vm-staging-01' has been permanently deleted.";
  expect(result).toMatchObject({ status: 'DELETED', instance_id: 'vm-staging-01', message });
});

test('scale_down_cluster', async () => {
  const { result } = await run('scale_down_cluster', { cluster_id: 'cluster-prod', target_nodes: 5 });
  expect(keysOf(result)).toEqual(['status', 'cluster_id', 'previous_nodes', 'current_nodes', 'message']);
  expect(result).toEqual({
    status: 'SCALED_DOWN',
    cluster_id: 'cluster-prod',
    previous_nodes: 8,
    current_nodes: 5,
    message: "Cluster 'cluster-prod' scaled from 8 → 5 nodes.",
  });
  expect(system.cloud.effects('StopInstances').flatMap(({ instance_ids }) => instance_ids)).toHaveLength(3);
});

test('deploy_to_production', async () => {
  const { result } = await run('deploy_to_production', { service_name: 'web', image_tag: 'v2.0.0' });
  expect(keysOf(result)).toEqual(['status', 'service_name', 'image_tag', 'build_id', 'message']);
  const { build_id } = z.looseObject({ build_id: z.string() }).parse(result);
  expect(build_id).toMatch(/^build-[1-9]\d{4}$/);
  expect(result).toMatchObject({
    status: 'DEPLOYED',
    service_name: 'web',
    image_tag: 'v2.0.0',
    message: `Service 'web' successfully updated to image 'v2.0.0' (build: ${build_id}).`,
  });
});

test('the operations beyond the contract answer in the same manner', async () => {
  await system.cloud.make('power-me');
  const stopped = await run('stop_instance', { instance_id: 'power-me' });
  expect(stopped.result).toMatchObject({ status: 'STOPPED', instance_id: 'power-me' });
  const started = await run('start_instance', { instance_id: 'power-me' });
  expect(started.result).toMatchObject({ status: 'STARTED', instance_id: 'power-me' });
  const service = await run('restart_production_service', { service_name: 'web' });
  expect(service.result).toMatchObject({ status: 'RESTARTED', service_name: 'web', instances: 2 });
});

test.each([
  ['describe_instance', { instance_id: 'vm-nope' }, 'not_found', "Instance 'vm-nope' not found."],
  ['restart_instance', { instance_id: 'vm-nope' }, 'not_found', "Instance 'vm-nope' not found."],
  ['delete_instance', { instance_id: 'vm-nope' }, 'not_found', "Instance 'vm-nope' not found."],
  ['delete_instance', { instance_id: 'i-00000000000000000' }, 'not_found', "Instance 'i-00000000000000000' not found."],
  ['scale_down_cluster', { cluster_id: 'nope', target_nodes: 1 }, 'not_found', "Cluster 'nope' not found."],
  ['deploy_to_production', { service_name: 'nope', image_tag: 'x' }, 'not_found', "Service 'nope' not found."],
  [
    'scale_down_cluster',
    { cluster_id: 'cluster-staging', target_nodes: 9 },
    'invalid',
    "Cluster 'cluster-staging' runs 3 nodes: target_nodes must be an integer from 0 to 2, not 9.",
  ],
])('%s of %j fails before anybody is asked, and says why', async (operation, params, reason, error) => {
  const ended = await run(operation, params);
  expect(ended).toMatchObject({ status: 'FAILED', reason, error, result: null });
  expect(await system.api.get(ended.task_id)).toMatchObject({ decided_by: null, approve_by: null });
});
