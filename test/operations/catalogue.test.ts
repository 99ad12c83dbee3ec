// The catalogue as callers see it: its order, what each entry requires, and the check of config against it.
import { loadConfig } from '../../config/load.ts';
import { assetPath } from '../../config/paths.ts';
import { policyOf } from '../../config/policy.ts';
import type { JsonObject } from '../../domain/task.ts';
import { CATALOGUE, catalogueFlaw, operationOf } from '../../operations/index.ts';
import { failureOf } from './instances.ts';

const shipped = policyOf(loadConfig(assetPath('config.json'))).risk;

test.each([
  ['list_instances', 'read', [], 'List all VM instances'],
  ['describe_instance', 'read', ['instance_id'], 'Get details for a single VM instance'],
  ['restart_instance', 'change', ['instance_id'], 'Gracefully restart a running VM instance'],
  ['delete_instance', 'destroy', ['instance_id'], 'Permanently delete a VM instance'],
  ['scale_down_cluster', 'change', ['cluster_id', 'target_nodes'], 'Reduce the node count of a Kubernetes cluster'],
  [
    'deploy_to_production',
    'change',
    ['service_name', 'image_tag'],
    'Deploy a new container image to the production environment',
  ],
  ['start_instance', 'change', ['instance_id'], 'Start a stopped VM instance'],
  ['stop_instance', 'change', ['instance_id'], 'Stop a running VM instance; its disks are kept'],
  [
    'restart_production_service',
    'change',
    ['service_name'],
    'Restart the instances of a production service, one batch after another',
  ],
] as const)('%s is a %s, requires %j and says what it does', (name, effect, required, description) => {
  const operation = operationOf(name);
  expect(operation).toMatchObject({ name, effect, required, description });
});

test('a failure takes nothing back from what was asked to stop a machine, and each gets its time', () => {
  const kept = CATALOGUE.filter(({ keepsOnFailure }) => keepsOnFailure).map(({ name }) => name);
  expect(kept.sort()).toEqual(['remove_member', 'stop_instance']);
  const deadlineMs = (name: string, params: JsonObject) => Reflect.get(operationOf(name).prepare(params), 'deadlineMs');
  expect(deadlineMs('stop_instance', { instance_id: 'x' })).toBe(30 * 60_000);
  expect(deadlineMs('remove_member', { member: 'x', stop: true })).toBe(30 * 60_000);
  expect(deadlineMs('remove_member', { member: 'x', stop: false })).toBe(0);
});

test('the six of the contract come first, in its order, and no name comes twice', () => {
  const names = CATALOGUE.map(({ name }) => name);
  expect(names.slice(0, 6)).toEqual([
    'list_instances',
    'describe_instance',
    'restart_instance',
    'delete_instance',
    'scale_down_cluster',
    'deploy_to_production',
  ]);
  expect(new Set(names).size).toBe(names.length);
});

test.each(['', 'nope', 'Delete_instance', 'delete_instance ', 'constructor', '__proto__'])('%j is unknown', (name) => {
  const failure = failureOf(() => operationOf(name));
  expect(failure.type).toBe('UnknownOperation');
  expect(failure.message).toMatch(`Unknown operation '${name}'. Available: ['list_instances', 'describe_instance', `);
});

test('an unknown name without an end is cut', () => {
  expect(failureOf(() => operationOf('x'.repeat(100_000))).message.length).toBeLessThan(2_100);
});

describe('catalogueFlaw', () => {
  test('the config that ships has none', () => {
    expect(catalogueFlaw(shipped)).toBeUndefined();
  });

  test('destroying without a decision must be said in as many words', () => {
    const flaw = catalogueFlaw({ highRiskOperations: ['list_instances'], allowUnguarded: [] });
    expect(flaw).toMatch(/^\['delete_instance'\] destroy things but high_risk_operations does not list them/);
    expect(catalogueFlaw({ highRiskOperations: [], allowUnguarded: ['delete_instance'] })).toBeUndefined();
  });
});
