// A job whose runner hangs is no use of its machine for ever: an idle stop comes, and still asks for a fresh checkpoint.
import { readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from '../kit/hosts.ts';
import { jobEvents, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { tasksOn, verdictsOf } from '../kit/member-watch.ts';
import { ended, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const TIME_SCALE = 0.02;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      idle: {
        time_scale: TIME_SCALE,
        grace_minutes: 1,
        cpu_busy_percent: null,
        network_busy_bytes_per_second: null,
      },
    },
  });
}, 90_000);
afterAll(() => system?.stop(), 30_000);

test('a job is use by its heartbeat; when that ends, its machine is stopped, but not before a fresh checkpoint', async () => {
  const { member_id: member } = await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 5 });
  const instanceId = await system.cloud.idOf('vm-prod-01');
  const home = homeOf(system, instanceId);
  const path = join(home, 'checkpoint');
  const id = await startJob(system, member, 'echo 1 > ~/checkpoint; until [ -e ~/released ]; do sleep 0.5; done', {
    checkpoint: { path, max_age_s: 3_600 },
  });
  await jobIs(system, id, ['running']);
  await until('its heartbeat counts', async () => {
    const [verdict] = await verdictsOf(system, member);
    return verdict?.verdict === 'busy' && verdict.reasons.some((reason) => reason.includes('heartbeat of a job'));
  });
  expect(await tasksOn(system, 'stop_instance', 'vm-prod-01')).toEqual([]);

  utimesSync(path, new Date(0), new Date(0));
  const runner = Number(readFileSync(join(home, '.fermata', 'jobs', id, 'g1', 'pid'), 'utf8').split(' ')[0]);
  process.kill(runner, 'SIGSTOP');
  // Minutes of idleness are shortened, but not those of a heartbeat.
  const heartbeat = join(home, '.fermata', 'jobs', id, 'heartbeat');
  utimesSync(heartbeat, new Date(0), new Date(0));
  const [refused] = await until(
    'a stop is refused',
    async () => {
      const tasks = await tasksOn(system, 'stop_instance', 'vm-prod-01');
      return tasks.some(({ status }) => status === 'FAILED') && tasks;
    },
    120_000,
  );
  const task = await ended(system, String(refused?.task_id));
  expect(task.error).toMatch(new RegExp(`^Refused, because work would be lost: ${id} is not saved`));
  expect(await system.cloud.stateOf('vm-prod-01')).toBe('running');
  expect(await jobNow(system, id)).toMatchObject({ status: 'running' });

  utimesSync(path, new Date(), new Date());
  await until('it is stopped', async () => (await system.cloud.stateOf('vm-prod-01')) === 'stopped', 120_000);
  await jobIs(system, id, ['interrupted']);
  expect((await jobEvents(system, id)).some(({ says }) => says.startsWith('It gives way to the stop'))).toBe(true);
}, 300_000);
