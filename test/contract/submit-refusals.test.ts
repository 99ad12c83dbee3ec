// Every way to send a wrong submit: the exact answer, in the contract's order of checks, and nothing stored.
import { apiAt } from '../kit/http.ts';
import type { Api } from '../kit/http.ts';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { expectError, issuesIn, post } from './shapes.ts';

let system: System;
let api: Api;
beforeAll(async () => {
  system = await startSystem();
  api = apiAt(system.api.url);
});
afterEach(async () => {
  // No case may leave anything behind: the list stays empty and answers.
  expect(await api.call('GET', '/api/v1/tasks')).toMatchObject({ status: 200, text: '[]' });
});
afterAll(() => system?.stop());

const TASKS = '/api/v1/tasks';
const REQUIRED = { msg: 'Field required', type: 'missing' };
const STRING = { type: 'string_type', msg: 'Input should be a valid string' };
const DICT = { type: 'dict_type', msg: 'Input should be a valid dictionary' };
const NOT_OBJECT = {
  type: 'model_attributes_type',
  loc: ['body'],
  msg: 'Input should be a valid dictionary or object to extract fields from',
};
const missing = (field: string, input: unknown) => ({ ...REQUIRED, loc: ['body', field], input });

const SCHEMA_ERRORS: readonly (readonly [unknown, readonly unknown[]])[] = [
  [{}, [missing('operation', {}), missing('resource', {})]],
  [{ operation: 'x' }, [missing('resource', { operation: 'x' })]],
  [{ resource: 'x', extra: 1 }, [missing('operation', { resource: 'x', extra: 1 })]],
  [{ operation: 1, resource: 'x' }, [{ ...STRING, loc: ['body', 'operation'], input: 1 }]],
  [{ operation: null, resource: 'x' }, [{ ...STRING, loc: ['body', 'operation'], input: null }]],
  [
    { operation: ['list_instances'], resource: 'x' },
    [{ ...STRING, loc: ['body', 'operation'], input: ['list_instances'] }],
  ],
  [{ operation: 'list_instances', resource: 5 }, [{ ...STRING, loc: ['body', 'resource'], input: 5 }]],
  [{ operation: 'list_instances', resource: 'x', params: null }, [{ ...DICT, loc: ['body', 'params'], input: null }]],
  [{ operation: 'list_instances', resource: 'x', params: [] }, [{ ...DICT, loc: ['body', 'params'], input: [] }]],
  [{ operation: 'list_instances', resource: 'x', params: 'a' }, [{ ...DICT, loc: ['body', 'params'], input: 'a' }]],
  [
    { operation: true, params: 7 },
    [
      { ...STRING, loc: ['body', 'operation'], input: true },
      missing('resource', { operation: true, params: 7 }),
      { ...DICT, loc: ['body', 'params'], input: 7 },
    ],
  ],
  [[], [{ ...NOT_OBJECT, input: [] }]],
  [[{ operation: 'list_instances' }], [{ ...NOT_OBJECT, input: [{ operation: 'list_instances' }] }]],
  ['"text"', [{ ...NOT_OBJECT, input: 'text' }]],
  ['null', [{ ...NOT_OBJECT, input: null }]],
  ['12', [{ ...NOT_OBJECT, input: 12 }]],
];

test.each(SCHEMA_ERRORS)('body %j', async (body, issues) => {
  expectError(await api.call('POST', TASKS, body), 422, 'invalid_request', issues);
});

test('a body may be empty, but then it is missing', async () => {
  const empty = [{ ...REQUIRED, loc: ['body'], input: null }];
  expectError(await post(api, TASKS, '', 'application/json'), 422, 'invalid_request', empty);
  expectError(await api.call('POST', TASKS), 422, 'invalid_request', empty);
});

test.each([
  '{',
  '{"operation": "list_instances", }',
  "{'operation': 1}",
  'list_instances',
  '{"a":1}}',
  ' ',
  '{"a":NaN}',
])('broken JSON %s names the offset', async (text) => {
  const [issue] = issuesIn(await post(api, TASKS, text, 'application/json'));
  expect(issue).toEqual({
    type: 'json_invalid',
    loc: ['body', expect.any(Number)],
    msg: 'JSON decode error',
    input: {},
    ctx: { error: expect.any(String) },
  });
});

const VALID = JSON.stringify({ operation: 'list_instances', resource: 'x' });

test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx'])(
  'content type %s is not read as JSON',
  async (type) => {
    expectError(await post(api, TASKS, VALID, type), 422, 'invalid_request', [{ ...NOT_OBJECT, input: VALID }]);
  },
);

test('no content type is refused as well', async () => {
  // A byte body gets no content type of its own from the client.
  const bytes = await api.call('POST', TASKS, new TextEncoder().encode(VALID), { 'content-type': '' });
  expectError(bytes, 422, 'invalid_request', [{ ...NOT_OBJECT, input: VALID }]);
});

test.each([[[0xff, 0xfe, 0x7b]], [[0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d]], [[0xed, 0xa0, 0x80]]])(
  'bytes %j are no UTF-8',
  async (bytes) => {
    const answer = await post(api, TASKS, Uint8Array.from(bytes), 'application/json');
    expectError(answer, 400, 'malformed_body', 'There was an error parsing the body');
  },
);

test.each([200, 20_000])('%i levels of nesting are too deep', async (depth) => {
  for (const nested of [
    '['.repeat(depth) + ']'.repeat(depth),
    '{"a":'.repeat(depth / 4) + '1' + '}'.repeat(depth / 4),
  ]) {
    const body = `{"operation":"list_instances","resource":"x","params":{"p":${nested}}}`;
    const answer = await post(api, TASKS, body, 'application/json');
    expectError(answer, 400, 'malformed_body', 'There was an error parsing the body');
  }
});

test.each([65_537, 1_000_000, 20_000_000])('a body of %i bytes is too large', async (size) => {
  const frame = JSON.stringify({ operation: 'list_instances', resource: '' }).length;
  const body = JSON.stringify({ operation: 'list_instances', resource: 'x'.repeat(size - frame) });
  expectError(await api.call('POST', TASKS, body), 413, 'body_too_large', 'The body is larger than 65536 bytes.');
});

const AVAILABLE =
  "Available: ['list_instances', 'describe_instance', 'restart_instance', 'delete_instance', 'scale_down_cluster', 'deploy_to_production'";

test.each(['nope', '', 'LIST_INSTANCES', 'list_instances ', 'wipe_storage_bucket', '__proto__', 'constructor', "a'b"])(
  'operation %j is unknown',
  async (operation) => {
    const answer = await api.call('POST', TASKS, { operation, resource: 'x', params: { instance_id: 5 } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'unknown_operation' } });
    expect(answer.body).toHaveProperty(
      'detail',
      expect.stringContaining(`Unknown operation '${operation}'. ${AVAILABLE}`),
    );
  },
);

test('a very long unknown operation is named in text that can be shown', async () => {
  for (const pad of ['', 'x']) {
    const operation = pad + '😀'.repeat(3_000);
    const answer = await api.call('POST', TASKS, { operation, resource: 'x' });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).toBe(answer.text);
    expect(/\\ud[89a-f]/i.test(answer.text)).toBe(false);
  }
});

test.each([
  ['describe_instance', {}, "['instance_id']"],
  ['delete_instance', { id: 'vm-prod-01' }, "['instance_id']"],
  ['scale_down_cluster', {}, "['cluster_id', 'target_nodes']"],
  ['scale_down_cluster', { cluster_id: 5 }, "['target_nodes']"],
  ['deploy_to_production', { image_tag: 'v1' }, "['service_name']"],
])('%s with params %j lacks %s, said as one string', async (operation, params, names) => {
  const answer = await api.call('POST', TASKS, { operation, resource: 'x', params });
  expectError(answer, 422, 'missing_params', `Missing required params for '${operation}': ${names}`);
});

const ID = ['body', 'params', 'instance_id'];
test.each([
  ['describe_instance', { instance_id: null }, [{ ...STRING, loc: ID, input: null }]],
  ['delete_instance', { instance_id: 7 }, [{ ...STRING, loc: ID, input: 7 }]],
  ['delete_instance', { instance_id: ['a'] }, [{ ...STRING, loc: ID, input: ['a'] }]],
  [
    'describe_instance',
    { instance_id: 'a', force: true },
    [{ type: 'extra_forbidden', loc: ['body', 'params', 'force'], msg: 'Extra inputs are not permitted', input: true }],
  ],
  [
    'scale_down_cluster',
    { cluster_id: 1, target_nodes: 'abc' },
    [
      { ...STRING, loc: ['body', 'params', 'cluster_id'], input: 1 },
      expect.objectContaining({ loc: ['body', 'params', 'target_nodes'], input: 'abc' }),
    ],
  ],
  ...[-5, 1.5, true, null, '3', 2 ** 60].map((nodes): [string, object, unknown[]] => [
    'scale_down_cluster',
    { cluster_id: 'cluster-prod', target_nodes: nodes },
    [expect.objectContaining({ loc: ['body', 'params', 'target_nodes'], input: nodes })],
  ]),
  ...['', 'x'.repeat(257)].map((id): [string, object, unknown[]] => [
    'delete_instance',
    { instance_id: id },
    [expect.objectContaining({ loc: ID, input: id })],
  ]),
])('%s refuses params %.60j', async (operation, params, issues) => {
  const answer = await api.call('POST', TASKS, { operation, resource: 'x', params });
  expectError(answer, 422, 'invalid_params', issues);
});

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'])(
  'the param %s is an unknown one like any other',
  async (key) => {
    const body = `{"operation":"list_instances","resource":"x","params":{"${key}":{"polluted":true}}}`;
    const [issue] = issuesIn(await post(api, TASKS, body, 'application/json'));
    expect(issue).toMatchObject({ type: 'extra_forbidden', loc: ['body', 'params', key] });
    const described = `{"operation":"describe_instance","resource":"x","params":{"${key}":{"instance_id":"vm-prod-01"}}}`;
    const lacking = await post(api, TASKS, described, 'application/json');
    expect(lacking).toMatchObject({ status: 422, body: { code: 'missing_params' } });
  },
);

test.each(['\\u0000', '\\ud800', '\\udc00', 'a\\u0000b', '\\ud83d'])(
  'text with %s cannot be stored',
  async (escape) => {
    const bodies = [
      `{"operation":"list_instances","resource":"${escape}"}`,
      `{"operation":"${escape}","resource":"x"}`,
      `{"operation":"describe_instance","resource":"x","params":{"instance_id":"${escape}"}}`,
      `{"operation":"list_instances","resource":"x","params":{"${escape}":1}}`,
      `{"operation":"list_instances","resource":"x","params":{"a":[{"b":"${escape}"}]}}`,
    ];
    for (const body of bodies) {
      const [issue] = issuesIn(await post(api, TASKS, body, 'application/json'));
      expect(issue).toMatchObject({ type: 'string_unicode', loc: expect.arrayContaining(['body']) });
    }
  },
);

test('a number that is none is refused where it stands', async () => {
  const body = '{"operation":"scale_down_cluster","resource":"x","params":{"cluster_id":"c","target_nodes":1e400}}';
  const [issue] = issuesIn(await post(api, TASKS, body, 'application/json'));
  const loc = ['body', 'params', 'target_nodes'];
  expect(issue).toMatchObject({ type: 'finite_number', loc, msg: 'Input should be a finite number' });
});
