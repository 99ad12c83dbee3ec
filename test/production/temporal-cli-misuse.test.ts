// What goes wrong at a command line: malformed, early, late and doubled messages, ids used again, inputs of all kinds.
import { randomUUID } from 'node:crypto';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';
import type { CliPage, Ran } from './cli-page.ts';
import { cliPage } from './cli-page.ts';

let system: System;
let page: CliPage;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
  page = cliPage(system);
});
afterAll(() => system?.stop());

const MALFORMED = [
  '"yes"',
  'true',
  'null',
  '[true]',
  '[{"confirmed": true}]',
  '{}',
  '{"confirmed": "true"}',
  '{"approve": true}',
  '{"confirmed": true, "plan_digest": 7}',
  '{"confirmed": true, "plan_digest": ""}',
  '{"confirmed": true, "comment": ["x"]}',
];

function start(id: string, input: unknown, ...more: readonly string[]): Promise<Ran> {
  const where = ['--workflow-id', `task-${id}`, '--task-queue', system.taskQueue];
  return page.temporal('workflow', 'start', '--type', 'runTask', ...where, '--input', JSON.stringify(input), ...more);
}

function deletion(instance: string): Record<string, unknown> {
  return { operation: 'delete_instance', resource: 'prod', params: { instance_id: instance }, risk: 'safe' };
}

async function held(): Promise<{ readonly id: string; readonly instance: string }> {
  const instance = await system.cloud.make('cli-misuse');
  const id = randomUUID();
  expect(await start(id, deletion(instance))).toMatchObject({ code: 0 });
  await until('the hold', async () => (await page.status(id)).status === 'AWAITING_CONFIRMATION');
  return { id, instance };
}

const signal = (id: string, ...input: readonly string[]) =>
  page.temporal('workflow', 'signal', '--workflow-id', `task-${id}`, '--name', 'confirm', ...input);

/** Still waits, and can still be decided; nothing has happened to the instance. */
async function expectUnharmed({ id, instance }: { readonly id: string; readonly instance: string }): Promise<void> {
  expect(await page.status(id)).toMatchObject({ status: 'AWAITING_CONFIRMATION' });
  expect(await signal(id, '--input', '{"confirmed": false}')).toMatchObject({ code: 0 });
  expect(await system.api.end(id)).toMatchObject({ status: 'FAILED', reason: 'rejected' });
  expect(await system.cloud.stateOf(instance)).toBe('running');
}

test('malformed confirmations change nothing, and the last event says that they were ignored', async () => {
  const task = await held();
  expect(await signal(task.id)).toMatchObject({ code: 0 });
  for (const input of MALFORMED) expect(await signal(task.id, '--input', input)).toMatchObject({ code: 0 });
  await expectUnharmed(task);
  expect(JSON.stringify(await system.api.events(task.id))).toContain('ignored a signal');
});

test('a comment that no database stores is not lost on the way: the decision counts', async () => {
  const { id, instance } = await held();
  await signal(id, '--input', String.raw`{"confirmed": false, "comment": "a\u0000b \ud800 c"}`);
  expect(await system.api.end(id)).toMatchObject({ status: 'FAILED', reason: 'rejected' });
  expect(await system.cloud.stateOf(instance)).toBe('running');
});

test('malformed updates are refused and change nothing', async () => {
  const task = await held();
  const inputs = [...MALFORMED, '{"confirmed": true, "by": "x"}', '{"approve": "yes", "by": "x"}'];
  inputs.push('{"approve": true, "by": {"name": "x"}}', String.raw`{"approve": true, "by": "x\u0000"}`);
  inputs.push(String.raw`{"approve": true, "by": "x", "comment": "\u0000"}`);
  for (const input of inputs) {
    const more = ['--workflow-id', `task-${task.id}`, '--name', 'decide', '--input', input];
    const { code, output } = await page.temporal('workflow', 'update', 'execute', ...more);
    expect({ input, code, output }).toMatchObject({ input, code: 1 });
  }
  await expectUnharmed(task);
}, 90_000);

test('a confirmation that comes with the start, before there is a plan, is no approval', async () => {
  const instance = await system.cloud.make('cli-early');
  const id = randomUUID();
  const where = ['--workflow-id', `task-${id}`, '--task-queue', system.taskQueue, '--type', 'runTask'];
  const early = ['--signal-name', 'confirm', '--signal-input', '{"confirmed": true}'];
  const input = ['--input', JSON.stringify(deletion(instance))];
  const sent = await page.temporal('workflow', 'signal-with-start', ...where, ...early, ...input);
  expect(sent).toMatchObject({ code: 0 });
  await until('the hold', async () => (await page.status(id)).status === 'AWAITING_CONFIRMATION');
  await expectUnharmed({ id, instance });
});

test('the id of a task that has ended replays no approval', async () => {
  const { id, instance } = await held();
  await signal(id, '--input', '{"confirmed": true}');
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED' });
  const other = await system.cloud.make('cli-other');
  const refused = await start(id, deletion(other), '--id-reuse-policy', 'RejectDuplicate');
  expect(refused.output).toContain(await runIdOf(id));
  const before = await runIdOf(id);
  expect(await start(id, deletion(other))).toMatchObject({ code: 0 });
  const ended = await page.temporal('workflow', 'result', '--workflow-id', `task-${id}`);
  expect(ended.code).not.toBe(0);
  expect(ended.output).toContain('belongs to an earlier run');
  expect(await runIdOf(id)).not.toBe(before);
  expect(await system.api.get(id)).toMatchObject({ status: 'COMPLETED' });
  expect(await system.cloud.stateOf(other)).toBe('running');
  expect(await system.cloud.stateOf(instance)).toBe('terminated');
});

test('the id of a task that still waits starts nothing and decides nothing', async () => {
  const task = await held();
  const before = await runIdOf(task.id);
  await start(task.id, deletion(task.instance));
  expect(await runIdOf(task.id)).toBe(before);
  await expectUnharmed(task);
});

test.each([
  ['an id that is no UUID', 'CLI', {}, 'a lower-case UUID'],
  ['no object', undefined, 'delete everything', 'must be an object'],
  ['an operation that is not there', undefined, { operation: 'x', resource: 'r' }, 'Unknown operation'],
  ['no parameters', undefined, { operation: 'delete_instance', resource: 'r' }, 'Missing required params'],
  ['an unknown risk', undefined, { ...deletion('i-0'), risk: 'none' }, '"risk" must be'],
])('a start by hand with %s fails with a sentence', async (_what, given, input, sentence) => {
  const id = given ?? randomUUID();
  const name = `task-${id}${given === undefined ? '' : randomUUID().toUpperCase()}`;
  await start(name.slice('task-'.length), input);
  const { code, output } = await page.temporal('workflow', 'result', '--workflow-id', name);
  expect(code).not.toBe(0);
  expect(output).toContain(sentence);
});

async function runIdOf(id: string): Promise<string> {
  return (await system.temporal.workflow.getHandle(`task-${id}`).describe()).runId;
}
