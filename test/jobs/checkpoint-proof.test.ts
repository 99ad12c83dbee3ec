// Stopping a machine under a job: only after a fresh checkpoint, by whomever; else it is refused, or somebody decides.
import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { homeOf } from '../kit/hosts.ts';
import { jobEnds, jobEvents, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { ask, ended, movePort, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';
import { countingJob, countOf, linesOf } from '../kit/counting.ts';

const STEPS = 150;

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 90_000);
afterAll(() => system?.stop(), 30_000);

/** A job that counts on a fresh machine, and its checkpoint. */
async function counting(
  name: string,
  checkpoint: Readonly<Record<string, unknown>>,
  command = countingJob(name, STEPS, { every: 70 }),
) {
  const instanceId = await system.cloud.make(name);
  const { member_id: member } = await register(system, name);
  const path = join(homeOf(system, instanceId), name, 'checkpoint');
  const { command: first, ...rest } = command;
  const id = await startJob(system, name, first, { ...rest, checkpoint: { path, ...checkpoint } });
  await until(`${name} counts`, () => linesOf(system, instanceId, name, 'steps').length > 12, 60_000);
  return { id, instanceId, member, path };
}

const stopNow = async (name: string, body: Readonly<Record<string, unknown>> = {}) =>
  ended(system, await system.api.submit('stop_instance', { instance_id: await system.cloud.idOf(name), ...body }));

const old = (path: string) => utimesSync(path, new Date(0), new Date(0));

/** Waits for the machine to be stopped, starts it, and sees the job go on to its end. */
async function comesBack(id: string, name: string, instanceId: string): Promise<void> {
  expect(await jobIs(system, id, ['interrupted'])).toMatchObject({ retries: 0 });
  expect((await jobNow(system, id)).reason).toContain('starts its machine again');
  expect(await system.cloud.stateOf(name)).toBe('stopped');
  await ended(system, await system.api.submit('start_instance', { instance_id: instanceId }));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
  expect(countOf(system, instanceId, name, STEPS)).toMatchObject({ whole: true, runs: 2 });
}

test('a stale checkpoint and nobody to ask: refused; a fresh one: it stops, and the job waits for its machine', async () => {
  const quiet = `mkdir -p ~/quiet && cd ~/quiet && echo 1 > checkpoint && seq 20 > steps && until [ -e ~/released ]; do sleep 0.2; done`;
  const { id, instanceId, path } = await counting(
    'quiet',
    { max_age_s: 600 },
    { command: quiet, restart_command: 'true' },
  );
  old(path);
  const refused = await stopNow('quiet');
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'conflict' });
  expect(refused.error).toMatch(new RegExp(`^Refused, because work would be lost: ${id} is not saved: .* old`));
  expect(await jobNow(system, id)).toMatchObject({ status: 'running' });
  expect(await system.cloud.stateOf('quiet')).toBe('running');

  utimesSync(path, new Date(), new Date());
  expect(await stopNow('quiet')).toMatchObject({ status: 'COMPLETED' });
  await jobIs(system, id, ['interrupted']);
  expect((await jobEvents(system, id)).some(({ says }) => says.startsWith('It gives way to the stop'))).toBe(true);
  await ended(system, await system.api.submit('start_instance', { instance_id: instanceId }));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
}, 180_000);

test('a stale checkpoint and a job that can be asked: it makes one, and the machine stops', async () => {
  const { id, instanceId } = await counting('asked', { signal: 'USR1', max_age_s: 1, grace_s: 30 });
  expect(await stopNow('asked')).toMatchObject({ status: 'COMPLETED' });
  await comesBack(id, 'asked', instanceId);
}, 180_000);

test('a job without a checkpoint: refused; forced, it waits for a decision and stops all the same', async () => {
  const instanceId = await system.cloud.make('bare');
  await register(system, 'bare');
  const id = await startJob(system, 'bare', 'echo begun; until [ -e ~/released ]; do sleep 0.2; done', {
    restart_command: 'true',
  });
  await jobIs(system, id, ['running']);
  const refused = await stopNow('bare');
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'conflict' });
  expect(refused.error).toContain(`${id} declares no checkpoint`);

  const forced = await system.api.submit('stop_instance', { instance_id: instanceId, force: true });
  const held = await system.api.reach(forced, 'AWAITING_CONFIRMATION');
  expect(held.plan).toMatchObject({ says: expect.stringContaining(`${id}: cut off there`) });
  expect(await jobNow(system, id)).toMatchObject({ status: 'running' });
  expect((await system.api.confirm(forced, true)).status).toBe(200);
  expect(await ended(system, forced)).toMatchObject({ status: 'COMPLETED' });
  await jobIs(system, id, ['interrupted']);
  expect((await system.api.call('DELETE', `/api/v1/jobs/${id}`)).status).toBe(202);
  expect(await jobEnds(system, id)).toMatchObject({ status: 'cancelled' });
  expect(await system.cloud.stateOf('bare')).toBe('stopped');
}, 180_000);

test('a stop that is cancelled after the job gave way: the job holds its machine again', async () => {
  const { id, instanceId, path } = await counting(
    'spared',
    { max_age_s: 600 },
    countingJob('spared', STEPS * 2, { every: 35 }),
  );
  await until('it has a checkpoint', () => existsSync(path));
  await system.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: 1_000 });
  const task = await system.api.submit('stop_instance', { instance_id: instanceId });
  await until('it gives way', async () =>
    (await jobEvents(system, id)).some(({ says }) => says.startsWith('It gives way')),
  );
  // Nobody can look at it for a while: it is not the look that gives its machine back.
  await movePort(system, 'spared', 1);
  await system.api.cancel(task);
  await ended(system, task);
  await system.cloud.clearFaults();
  const { rows } = await system.db.query('select mode from leases where holder = $1', [id]);
  expect(rows).toEqual([{ mode: 'shared' }]);
  const another = await stopNow('spared');
  expect(another).toMatchObject({ status: 'FAILED', reason: 'conflict' });
  expect(another.error).toContain(`${id} cannot be looked at`);
  await movePort(system, 'spared', -1);
  await until('it holds it again', async () =>
    (await jobEvents(system, id)).some(({ says }) => says.includes('was not stopped after all')),
  );
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 180_000);

test('a member is not removed with its machine under a job, which could never go on', async () => {
  const { id, member } = await counting('kept', { max_age_s: 600 }, countingJob('kept', STEPS));
  const answer = await system.api.call('DELETE', `/api/v1/members/${member}?stop=true`);
  expect(answer.status).toBe(202);
  const task = z.looseObject({ task_id: z.string() }).parse(answer.body).task_id;
  await until('it waits', async () => (await system.api.get(task)).phase === 'waiting_for_lease');
  await system.api.cancel(task);
  expect(await ended(system, task)).toMatchObject({ status: 'TERMINATED' });
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 180_000);

test('on request', async () => {
  const { id } = await counting('requested', { signal: 'USR1', grace_s: 30 });
  expect((await system.api.call('POST', `/api/v1/jobs/${id}/checkpoint`)).status).toBe(202);
  await until('it has made one', async () =>
    (await jobEvents(system, id)).some(({ says }) => says === 'Its checkpoint is there.'),
  );
  await ask(system, 'requested', 'jobs', { command: 'true' });
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
  expect((await system.api.call('POST', `/api/v1/jobs/${id}/checkpoint`)).status).toBe(409);
}, 180_000);
