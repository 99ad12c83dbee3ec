// Parameters as callers may get them wrong: what is missing, unknown or of another type is said field by field.
import fc from 'fast-check';
import { Failure } from '../../domain/failures.ts';
import type { JsonObject } from '../../domain/task.ts';
import { CATALOGUE, operationOf } from '../../operations/index.ts';
import { failureOf } from './instances.ts';

const refusal = (name: string, params: JsonObject) => failureOf(() => operationOf(name).prepare(params));

test.each([
  ['describe_instance', {}, "['instance_id']"],
  ['scale_down_cluster', {}, "['cluster_id', 'target_nodes']"],
  ['scale_down_cluster', { target_nodes: 1 }, "['cluster_id']"],
  ['scale_down_cluster', { cluster_id: 5, extra: 1 }, "['target_nodes']"],
  ['deploy_to_production', { other: 1 }, "['service_name', 'image_tag']"],
  ['restart_production_service', {}, "['service_name']"],
])('%s of %j misses %s', (name, params, missing) => {
  const failure = refusal(name, params);
  expect(failure.type).toBe('MissingParams');
  expect(failure.message).toBe(`Missing required params for '${name}': ${missing}`);
  expect(failure.issues).toBeUndefined();
});

test('a name that every object inherits is missing all the same', () => {
  const inherited: JsonObject = Object.create({ instance_id: 'vm' });
  expect(refusal('describe_instance', inherited).type).toBe('MissingParams');
});

const scale = { cluster_id: 'c', target_nodes: 1 };

test.each([
  ['describe_instance', { instance_id: 5 }, 'instance_id', 'string_type', 'Input should be a valid string'],
  ['describe_instance', { instance_id: null }, 'instance_id', 'string_type', 'Input should be a valid string'],
  ['describe_instance', { instance_id: ['vm'] }, 'instance_id', 'string_type', 'Input should be a valid string'],
  [
    'describe_instance',
    { instance_id: 'vm', force: true },
    'force',
    'extra_forbidden',
    'Extra inputs are not permitted',
  ],
  ['list_instances', { all: true }, 'all', 'extra_forbidden', 'Extra inputs are not permitted'],
  ['scale_down_cluster', { ...scale, target_nodes: null }, 'target_nodes', /_type$/, /valid/],
  ['scale_down_cluster', { ...scale, target_nodes: 'abc' }, 'target_nodes', /_type$/, /valid (integer|number)/],
  ['scale_down_cluster', { ...scale, target_nodes: '2' }, 'target_nodes', /_type$/, /valid (integer|number)/],
  [
    'scale_down_cluster',
    { ...scale, target_nodes: 1.5 },
    'target_nodes',
    'int_type',
    'Input should be a valid integer',
  ],
  ['scale_down_cluster', { ...scale, target_nodes: true }, 'target_nodes', /_type$/, /valid (integer|number)/],
] as const)('%s of %j: %s is wrong', (name, params, field, type, msg) => {
  const failure = refusal(name, params);
  expect(failure.type).toBe('InvalidParams');
  expect(failure.issues).toHaveLength(1);
  const [issue] = failure.issues ?? [];
  expect(issue?.loc).toEqual(['body', 'params', field]);
  expect(issue?.type).toMatch(type);
  expect(issue?.msg).toMatch(msg);
  expect(issue?.input).toEqual(Reflect.get(params, field));
  expect(failure.message).toContain(`Params of '${name}' are not valid: ${field}: `);
});

test.each([
  ['describe_instance', { instance_id: '' }, 'instance_id'],
  ['describe_instance', { instance_id: 'x'.repeat(257) }, 'instance_id'],
  ['deploy_to_production', { service_name: 'web', image_tag: 'v'.repeat(257) }, 'image_tag'],
  ['scale_down_cluster', { ...scale, target_nodes: -5 }, 'target_nodes'],
  ['scale_down_cluster', { ...scale, target_nodes: 1e300 }, 'target_nodes'],
])('%s of a value out of bounds is refused, whatever else is right', (name, params, field) => {
  const failure = refusal(name, params);
  expect(failure.type).toBe('InvalidParams');
  expect(failure.issues?.map(({ loc }) => loc)).toEqual([['body', 'params', field]]);
});

test('several wrong fields are several entries, in the order of the schema', () => {
  const { issues, message } = refusal('scale_down_cluster', { extra: 1, target_nodes: 'x', cluster_id: 2 });
  expect(issues?.map(({ loc }) => loc.at(-1))).toEqual(['cluster_id', 'target_nodes', 'extra']);
  expect(message).toMatch(/cluster_id: .*; target_nodes: .*; extra: /);
});

test.each([
  [{ instance_id: 'a\0b' }, 'params.instance_id contains a NUL character'],
  [{ instance_id: '\ud800' }, 'params.instance_id contains a lone surrogate'],
  [{ instance_id: 'vm', 'k\0': 1 }, 'params contains a NUL character'],
])('what cannot be stored is refused in words that can be: %j', (params, why) => {
  const failure = refusal('describe_instance', params);
  expect(failure.type).toBe('InvalidParams');
  expect(failure.message).toBe(`Params of 'describe_instance' are not valid: ${why}`);
});

test('rubbish is refused as missing or invalid, with an entry for each wrong field, and never anything else', () => {
  const names = fc.constantFrom(...CATALOGUE.map(({ name }) => name));
  const keys = fc.constantFrom('instance_id', 'cluster_id', 'target_nodes', 'service_name', 'image_tag', '__proto__');
  const values = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.jsonValue());
  const types = new Set<string>();
  fc.assert(
    fc.property(names, fc.dictionary(keys, values), (name, params) => {
      const raw: JsonObject = JSON.parse(JSON.stringify(params));
      try {
        expect(operationOf(name).prepare(raw).effect).toBe(operationOf(name).effect);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        types.add(error.type);
        expect(error.message.isWellFormed()).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
  expect([...types].sort()).toEqual(['InvalidParams', 'MissingParams']);
});
