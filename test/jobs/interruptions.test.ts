// Machines that go away under jobs: reboots, stops, notices, terminations, and kills; each job goes on where it was.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RebootInstancesCommand, StopInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { homeOf } from '../kit/hosts.ts';
import { jobEnds, jobEvents, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { movePort, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';
import { countingJob, countOf, linesOf } from '../kit/counting.ts';

const STEPS = 80;
/** A checkpoint counts when nothing was written to it for two seconds. */
const EVERY = 30;

let system: System;
beforeAll(async () => {
  system = await startSystem({ workers: 2 });
}, 90_000);
afterAll(() => system?.stop(), 30_000);

/** Starts a job that counts on a fresh machine, and waits until it is on its way. */
async function counting(name: string, moreAt: (home: string) => Readonly<Record<string, unknown>> = () => ({})) {
  const instanceId = await system.cloud.make(name);
  const more = moreAt(homeOf(system, instanceId));
  await register(system, name);
  const { command, ...rest } = countingJob(name, STEPS, { every: EVERY });
  const id = await startJob(system, name, command, { ...rest, ...more });
  await until(`${name} counts`, () => linesOf(system, instanceId, name, 'steps').length > 12, 60_000);
  return { id, instanceId };
}

function fileOf(instanceId: string, id: string, file: string): string {
  return readFileSync(join(homeOf(system, instanceId), '.fermata', 'jobs', id, file), 'utf8');
}

/** Its pid on the machine. */
function runnerOf(instanceId: string, id: string): number {
  return Number(fileOf(instanceId, id, 'g1/pid').split(' ')[0]);
}

async function goesOn(id: string, instanceId: string, name: string, launches: number): Promise<void> {
  const job = await jobEnds(system, id, 120_000);
  expect(job).toMatchObject({ status: 'completed', launches });
  const count = countOf(system, instanceId, name, STEPS);
  expect(count).toMatchObject({ whole: true, runs: launches });
  expect(count.repeated).toBeLessThanOrEqual(EVERY * (launches - 1));
}

test('a reboot in mid-run resumes on the next boot, and uses no retry', async () => {
  const { id, instanceId } = await counting('rebooted');
  await system.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
  await goesOn(id, instanceId, 'rebooted', 2);
  expect(await jobNow(system, id)).toMatchObject({ retries: 0 });
  expect((await jobEvents(system, id)).map(({ status }) => status)).toEqual([
    ...['queued', 'starting', 'running', 'interrupted', 'starting', 'running', 'completed'],
  ]);
}, 180_000);

test('a stop from outside, as when the cloud takes a machine back: it is started again, and the job goes on', async () => {
  const { id, instanceId } = await counting('taken', () => ({ timeout_s: 900 }));
  const costs = async () => Number((await jobNow(system, id))['cost_usd']) > 0;
  await until('the attempt that runs costs something', costs);
  expect(await jobNow(system, id)).toMatchObject({ status: 'running', attempts: [] });
  await system.cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [instanceId] }));
  await goesOn(id, instanceId, 'taken', 2);
  expect((await jobNow(system, id)).attempts).toMatchObject([{ launch: 1 }, { launch: 2, exit_code: 0 }]);
  // What the attempt that was lost took is not left for the next one.
  expect(Number(/timeout_s='(\d+)'/.exec(fileOf(instanceId, id, 'g2/settings'))?.[1])).toBeLessThan(900);
  expect(system.cloud.effects('StartInstances').flatMap(({ instance_ids: ids }) => ids)).toContain(instanceId);
}, 180_000);

test('a notice asks for a checkpoint, which is where it goes on', async () => {
  const { id, instanceId } = await counting('noticed', (home) => ({
    checkpoint: { path: `${home}/noticed/checkpoint`, signal: 'USR1' },
  }));
  await system.cloud.control(`instances/${instanceId}/spot-notice`, { action: 'stop' });
  const said = async (what: string) => (await jobEvents(system, id)).some(({ says }) => says.includes(what));
  await until('it has made one', () => said('Its checkpoint is there.'));
  expect(await said('will take its machine away')).toBe(true);
  await system.cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [instanceId] }));
  await system.cloud.control(`instances/${instanceId}/spot-notice`, { action: null });
  await goesOn(id, instanceId, 'noticed', 2);
}, 180_000);

test('a machine that is terminated takes its job with it', async () => {
  const { id, instanceId } = await counting('gone');
  await system.cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'lost', launches: 1 });
}, 180_000);

test('a job that is not to be resumed has failed with its machine', async () => {
  const { id, instanceId } = await counting('once', () => ({ resume: 'never' }));
  await system.cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [instanceId] }));
  const job = await jobEnds(system, id);
  expect(job).toMatchObject({ status: 'failed', launches: 1 });
  expect(job.reason).toContain('not to be resumed');
}, 180_000);

test('kill -9 of its runner: the command runs on, and its end counts', async () => {
  const { id, instanceId } = await counting('orphaned');
  process.kill(runnerOf(instanceId, id), 'SIGKILL');
  const seen = async () => (await jobNow(system, id)).reason?.includes('runner was ended');
  await until('it is seen', seen);
  // As when nobody had seen it run before its runner was ended.
  const unseen = `update jobs set state = 'starting', reason = '', command_alive = null, started_at = null where id = $1`;
  await system.db.query(unseen, [id]);
  await until('it is seen again', seen);
  expect(await jobNow(system, id)).toMatchObject({ status: 'running', launches: 1 });
  await goesOn(id, instanceId, 'orphaned', 1);
}, 180_000);

test('kill -9 of the worker that watches it: another one watches on, and nothing is begun twice', async () => {
  const { id, instanceId } = await counting('watched');
  await system.worker.kill9();
  await goesOn(id, instanceId, 'watched', 1);
}, 180_000);

test('TERM to its runner is an interruption: no retry is used, and it is resumed though nobody saw it run', async () => {
  const { id, instanceId } = await counting('termed');
  await system.db.query('update jobs set started_at = null where id = $1', [id]);
  process.kill(runnerOf(instanceId, id), 'SIGTERM');
  await jobIs(system, id, ['interrupted', 'starting', 'running']);
  await goesOn(id, instanceId, 'termed', 2);
  expect(await jobNow(system, id)).toMatchObject({ retries: 0 });
}, 180_000);

test('a machine that does not answer for a while is why, and is so no longer when it answers again', async () => {
  await system.cloud.make('unheard');
  await register(system, 'unheard');
  const id = await startJob(system, 'unheard', 'sleep 600');
  await jobIs(system, id, ['running']);
  const says = (what: string) => until(what, async () => (await jobNow(system, id)).reason?.startsWith(what), 60_000);
  // A link that is open stays as it is; at another port it is made anew.
  await movePort(system, 'unheard', 1);
  await says('Its machine does not answer');
  await movePort(system, 'unheard', -1);
  await says('It runs: attempt 1.');
}, 180_000);
