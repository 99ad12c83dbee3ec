// The commands of docs/temporal-cli.md, each one run as it stands on the page, and what became of it in the cloud.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';
import type { CliPage } from './cli-page.ts';
import { cliPage, printedId } from './cli-page.ts';

let system: System;
let page: CliPage;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
  page = cliPage(system);
});
afterAll(() => system?.stop());

/** A task that deletes an instance of its own and waits for a decision. */
async function held(name: string): Promise<{ readonly id: string; readonly instance: string }> {
  const instance = await system.cloud.make(name);
  const id = await system.api.submit('delete_instance', { instance_id: instance });
  await system.api.reach(id, 'AWAITING_CONFIRMATION');
  return { id, instance };
}

test('what awaits is listed and counted, and no longer when it has ended', async () => {
  const { id } = await held('cli-listed');
  const list = () => page.run("AWAITING_CONFIRMATION' AND TaskQueue = '$QUEUE'\"");
  await until('the task in the list', async () => (await list()).output.includes(`task-${id}`));
  const count = await page.run('temporal workflow count');
  expect(count).toMatchObject({ code: 0 });
  expect(count.output).toMatch(/Total: 1\b/);
  await system.api.confirm(id, false);
  await until('the task out of the list', async () => {
    const { code, output } = await list();
    return code === 0 && !output.includes(id);
  });
});

test('a task is read: status, the plan in words, the attributes, the end', async () => {
  const { id, instance } = await held('cli-read');
  const { plan_digest: digest } = await system.api.get(id);
  expect(await page.status(id)).toMatchObject({ status: 'AWAITING_CONFIRMATION', planDigest: digest, reason: null });
  const plan = await page.run('temporal workflow metadata', { ID: id });
  expect(plan.output).toContain(`Plan \`${digest}\``);
  expect(plan.output).toContain(`terminate cli-read (${instance})`);
  const described = await page.run('temporal workflow describe', { ID: id });
  expect(described.output).toMatch(/TaskStatus:.*AWAITING_CONFIRMATION/);
  expect(described.output).toMatch(/Risk:.*high/);
});

test('a confirmation for the digest of the plan is carried out, one for another digest is not', async () => {
  const { id, instance } = await held('cli-confirmed');
  const confirm = (DIGEST: string) => page.run('"plan_digest"', { ID: id, DIGEST });
  const { planDigest } = await page.status(id);
  expect(await confirm('0'.repeat(64))).toMatchObject({ code: 0 });
  expect(await page.status(id)).toMatchObject({ status: 'AWAITING_CONFIRMATION' });
  expect(await confirm(planDigest ?? '')).toMatchObject({ code: 0 });
  const result = await page.run('temporal workflow result', { ID: id });
  expect(result).toMatchObject({ code: 0 });
  expect(result.output).toContain('DELETED');
  expect(await system.api.get(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'temporal' });
  const said = (await system.api.events(id)).map((event) => JSON.stringify(event)).join('\n');
  expect(said).toContain('ignored a signal');
  expect(terminations(instance)).toBe(1);
});

test('a confirmation without a digest counts for the plan in hand, once, however often it is sent', async () => {
  const { id, instance } = await held('cli-twice');
  const confirm = () => page.run(`'{"confirmed": true}'`, { ID: id });
  const sent = await Promise.all([confirm(), confirm()]);
  expect(sent.map(({ code }) => code)).toContain(0);
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED' });
  const late = await confirm();
  expect(late.code).not.toBe(0);
  expect(late.output).toContain('already completed');
  expect(await system.api.get(id)).toMatchObject({ status: 'COMPLETED' });
  expect(terminations(instance)).toBe(1);
});

test('a refusal ends the task with its comment, and a cancellation ends it as cancelled', async () => {
  const refused = await held('cli-refused');
  expect(await page.run('not on a Friday', { ID: refused.id })).toMatchObject({ code: 0 });
  const end = await system.api.end(refused.id);
  expect(end).toMatchObject({ status: 'FAILED', reason: 'rejected' });
  expect(end.error).toContain('not on a Friday');
  const result = await page.run('temporal workflow result', { ID: refused.id });
  expect(result.code).not.toBe(0);

  const cancelled = await held('cli-cancelled');
  expect(await page.run('temporal workflow cancel', { ID: cancelled.id })).toMatchObject({ code: 0 });
  expect(await system.api.end(cancelled.id)).toMatchObject({ status: 'TERMINATED', reason: 'cancelled' });
  expect(terminations(refused.instance) + terminations(cancelled.instance)).toBe(0);
});

test.each([
  ['the plain input', `'"$INSTANCE"'"}}'`],
  ['an input that calls itself safe', '"risk": "safe"'],
])('a task started by hand with %s is held like any other, and seen by the API', async (_what, text) => {
  const instance = await system.cloud.make('cli-started');
  const id = printedId(await page.run(text, { INSTANCE: instance }));
  await until('the row of the task', async () => (await system.api.call('GET', `/api/v1/tasks/${id}`)).status === 200);
  const task = await system.api.reach(id, 'AWAITING_CONFIRMATION');
  expect(task).toMatchObject({ operation: 'delete_instance', resource: 'prod', phase: 'awaiting_approval' });
  const { output } = await page.run('temporal workflow describe', { ID: id });
  expect(output).toMatch(/Risk:.*high/);
  expect(await system.cloud.stateOf(instance)).toBe('running');
  await page.run(`'{"confirmed": true}'`, { ID: id });
  expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'temporal' });
  expect(terminations(instance)).toBe(1);
});

test('reconcile stays paused over a restart of the worker until somebody lets it go on', async () => {
  const describe = async () => (await page.run('temporal schedule describe')).output;
  const paused = async () => /^\s*Paused\s+(true|false)/m.exec(await describe())?.[1];
  expect(await paused()).toBe('false');
  expect(await page.run('--pause')).toMatchObject({ code: 0 });
  expect(await system.worker.stop()).toBe(0);
  await system.worker.start();
  expect(await paused()).toBe('true');
  expect(await describe()).toContain('maintenance of the database');
  expect(await page.run('--unpause')).toMatchObject({ code: 0 });
  expect(await paused()).toBe('false');
  const total = async () => Number(/"Total":(\d+)/.exec(await describe())?.[1]);
  const before = await total();
  await until('a run of reconcile', async () => {
    // One that is asked for while another runs is left out, so it is asked for again.
    expect(await page.run('temporal schedule trigger')).toMatchObject({ code: 0 });
    return (await total()) > before;
  });
});

test('no command of the page was left out', () => {
  expect(page.blocks.length).toBeGreaterThan(12);
  expect(page.left()).toEqual([]);
});

function terminations(instance: string): number {
  return system.cloud.effects('TerminateInstances').filter(({ instance_ids: ids }) => ids.includes(instance)).length;
}
