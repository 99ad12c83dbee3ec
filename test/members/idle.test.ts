// Idle stop on real machines of the sandbox, with minutes shortened: warned, then stopped, and never while it is used.
import { z } from 'zod';
import { judge } from '../../domain/idle.ts';
import type { IdleInput } from '../../domain/idle-clocks.ts';
import { ask, ended, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: { idle: { time_scale: 0.02, cpu_busy_percent: null, network_busy_bytes_per_second: null } },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const events = z.array(z.looseObject({ kind: z.string(), says: z.string() }));
const eventsOf = async (ref: string, kind: string) => {
  const { body } = await system.api.call('GET', `/api/v1/members/${ref}/events`);
  return events.parse(body).filter((event) => event.kind === kind);
};

test('an idle machine is warned about and stopped by a task of the policy; one with a command in flight is not', async () => {
  await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 1 });
  await register(system, 'gpu-train-01', { cloud_idle_timeout_min: 1 });
  const works = ask(system, 'gpu-train-01', 'commands', { command: 'sleep 15; echo done' });
  await until('it is stopped', async () => (await system.cloud.stateOf('vm-prod-01')) === 'stopped', 60_000);
  expect(await eventsOf('vm-prod-01', 'stop_warning')).toHaveLength(1);
  expect(system.cloud.effects('StopInstances')).toHaveLength(1);
  const [task, ...others] = z
    .array(z.looseObject({ task_id: z.string(), requested_by: z.string() }))
    .parse((await system.api.call('GET', '/api/v1/tasks?operation=stop_instance')).body);
  expect([task?.requested_by, others]).toEqual(['policy/idle', []]);
  expect((await ended(system, task?.task_id ?? '')).status).toBe('COMPLETED');
  expect((await ended(system, await works)).result).toMatchObject({ exit_code: 0, stdout: 'done\n' });
  const { body: verdicts } = await system.api.call('GET', '/api/v1/members/vm-prod-01/verdicts');
  // The sweep may have looked once more while it went down.
  expect(verdicts).toContainEqual(expect.objectContaining({ verdict: 'idle', next: 'stop' }));
}, 120_000);

test('a command on the stopped machine starts it again, and it idles out once more', async () => {
  expect(await run(system, 'vm-prod-01', 'echo again')).toMatchObject({ result: { stdout: 'again\n' } });
  await until('it is stopped again', () => system.cloud.effects('StopInstances').length >= 2, 60_000);
}, 120_000);

interface Kept {
  readonly at: Date;
  readonly verdict: string;
  readonly next: string;
  readonly reasons: readonly string[];
  readonly inputs: Pick<IdleInput, 'probe' | 'holders' | 'clocks'> & {
    readonly rule: IdleInput['policy'];
    readonly registered_at: string;
    readonly launched_at: string | null;
    readonly last_use_at: string | null;
    readonly snoozed_until: string | null;
  };
}

test('each verdict follows again from the inputs that are kept with it', async () => {
  const { rows } = await system.db.query<Kept>('select at, verdict, next, reasons, inputs from verdicts');
  expect(rows.length).toBeGreaterThan(10);
  for (const { at, verdict, next, reasons, inputs } of rows) {
    const { probe, holders, clocks, rule: policy } = inputs;
    const judged = judge({
      now: at.toISOString(),
      registeredAt: inputs.registered_at,
      launchedAt: inputs.launched_at,
      lastUseAt: inputs.last_use_at,
      snoozedUntil: inputs.snoozed_until,
      ...{ probe, holders, clocks, policy },
    });
    expect(judged).toMatchObject({ verdict, next, reasons });
  }
  const { body } = await system.api.call('GET', '/api/v1/members/vm-prod-01/verdicts?limit=1');
  expect(body).toMatchObject([{ inputs: { clocks: { judged_at: expect.any(String), idle_ms: expect.any(Number) } } }]);
});

test.each(['verdicts', 'events'])(
  'pages of %s hold each row once, newest first, and say where the next is',
  async (of) => {
    const first = `/api/v1/members/vm-prod-01/${of}?limit=`;
    const { body, headers } = await system.api.call('GET', `${first}1000`);
    const all = z.array(z.json()).parse(body);
    expect(headers.get('link')).toBeNull();
    expect(all.length).toBeGreaterThan(3);
    const walked: unknown[] = [];
    for (let path: string | undefined = `${first}2`; path !== undefined;) {
      const page = await system.api.call('GET', path);
      const rows = z.array(z.json()).parse(page.body);
      expect(rows.length).toBeLessThanOrEqual(2);
      walked.push(...rows);
      path = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
    }
    // A sweep may have looked once more meanwhile.
    expect(walked.slice(-all.length)).toEqual(all);
    expect((await system.api.call('GET', `${first}2&cursor=abc`)).status).toBe(422);
  },
);
