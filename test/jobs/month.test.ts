// The workflow of a job for which days go by: a history that stays bounded, and nothing forgotten from one run to the next.
import type { LaunchSeen } from '../../domain/activity.ts';
import type { Outside } from '../kit/job-outside.ts';
import { anyJob, quietWorkers, runLengths, runsOutside } from '../kit/job-outside.ts';

const HOURS = 30 * 24;
/** A machine that is rebooted once a week. */
const REBOOT_EVERY_H = 7 * 24;
/** Temporal suggests a new run at 4,096 events; what is on its way then comes on top. */
const MOST_EVENTS = 4_200;

beforeAll(quietWorkers);

test('a job of 30 days goes on in new runs, and no run grows beyond what Temporal suggests', async () => {
  const counts = { watches: 0, launches: 0 };
  const outside: Outside = {
    watchJob: async (): Promise<LaunchSeen> => {
      counts.watches += 1;
      if (counts.watches >= HOURS) return { kind: 'completed' };
      if (counts.watches % REBOOT_EVERY_H === 0)
        return { kind: 'interrupted', why: 'booted again', begun: true, stopped: false };
      return { kind: 'running', generation: counts.launches };
    },
    startLaunch: async ({ generation }) => {
      counts.launches = generation;
      return { kind: 'running', generation };
    },
  };
  const job = anyJob();
  await runsOutside(outside, job, async (handle, client) => {
    expect(await handle.result()).toMatchObject({ state: 'completed' });
    expect(counts).toEqual({ watches: HOURS, launches: Math.floor((HOURS - 1) / REBOOT_EVERY_H) + 1 });
    const lengths = await runLengths(client, job.id, handle.firstExecutionRunId);
    process.stdout.write(
      `a job of 30 days: ${lengths.length - 1} continue-as-new, events of its runs ${lengths.join(', ')}\n`,
    );
    expect(lengths.length).toBeGreaterThan(1);
    for (const length of lengths) expect(length).toBeLessThanOrEqual(MOST_EVENTS);
  });
}, 300_000);

test('a job that waits until somebody starts its machine waits in a new run, too', async () => {
  const counts = { looks: 0, asked: 0, launches: 0 };
  const outside: Outside = {
    askReady: async () => {
      counts.asked += 1;
      return { ready: true };
    },
    startLaunch: async ({ generation }) => {
      counts.launches = generation;
      return { kind: 'running', generation };
    },
    watchJob: async () =>
      counts.launches > 1 ? { kind: 'completed' } : { kind: 'interrupted', why: 'stopped', begun: true, stopped: true },
    awaitJobMachine: async () => {
      counts.looks += 1;
      return counts.looks > HOURS;
    },
  };
  const job = anyJob();
  await runsOutside(outside, job, async (handle, client) => {
    expect(await handle.result()).toMatchObject({ state: 'completed' });
    expect((await runLengths(client, job.id, handle.firstExecutionRunId)).length).toBeGreaterThan(1);
    expect(counts).toEqual({ looks: HOURS + 1, asked: 2, launches: 2 });
  });
}, 300_000);

test('a job whose start waits for a decision goes on waiting in a new run', async () => {
  const counts = { asked: 0 };
  const outside: Outside = {
    askReady: async () => {
      counts.asked += 1;
      return { ready: counts.asked > 1 };
    },
  };
  const job = anyJob();
  await runsOutside(outside, job, async (handle, client) => {
    // As much as many weeks of asking would leave in its history.
    for (let sent = 0; sent < 4_200; sent += 100)
      await Promise.all(Array.from({ length: 100 }, () => handle.signal('leftover')));
    expect(await handle.result()).toMatchObject({ state: 'completed' });
    const lengths = await runLengths(client, job.id, handle.firstExecutionRunId);
    expect([lengths.length, counts.asked]).toEqual([2, 2]);
  });
}, 300_000);
