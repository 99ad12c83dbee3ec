// kill -9 of the worker in every phase of a cold start and of an idle stop: each ends as if nothing had happened, acting once.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { homeOf } from '../kit/hosts.ts';
import { ask, ended, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

/** Long enough that a machine is still on its way when the others are where they are to be. */
const STATE_MS = 6_000;
/** After a kill: the longest heartbeat timeout, and what is left to do. */
const END_MS = 90_000;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    stateMs: STATE_MS,
    config: {
      idle: { time_scale: 0.02, grace_minutes: 6, cpu_busy_percent: null, network_busy_bytes_per_second: null },
      // A throttled stop is not given up while the others get to where they are to be.
      execution: { max_retries: 20 },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const instance = (action: 'StartInstances' | 'StopInstances', id: string) =>
  system.cloud.effects(action).filter(({ instance_ids: ids }) => ids.includes(id)).length;
const linesOf = (id: string, file: string) => {
  const path = join(homeOf(system, id), file);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
};
const letGo = (id: string, file: string) => writeFileSync(join(homeOf(system, id), file), '');
const restart = async () => {
  await system.worker.kill9();
  await system.cloud.clearFaults();
  await system.worker.start();
};

interface Cold {
  /** What keeps it in this phase, before anything is asked for. */
  hold?(id: string): Promise<void>;
  readonly readyStep?: string;
  readonly command?: string;
  /** True when it is in the phase in which the worker is killed. */
  reached(id: string, task: string): Promise<boolean> | boolean;
  letGo?(id: string): Promise<void> | void;
}

const isOnTheWay = async (task: string) => (await system.api.get(task)).phase === 'getting_ready';
const COLD: Readonly<Record<string, Cold>> = {
  'task recorded': {
    hold: (id) => system.cloud.fault({ action: 'DescribeInstances', kind: 'hang', instance_id: id, times: -1 }),
    reached: (_, task) => system.api.get(task).then(({ phase }) => phase === 'planning'),
  },
  'SSH not up yet': {
    hold: (id) => system.cloud.control(`instances/${id}/ssh`, { mode: 'refuse' }),
    reached: async (id, task) => (await system.cloud.stateOf(id)) === 'running' && (await isOnTheWay(task)),
    letGo: (id) => system.cloud.control(`instances/${id}/ssh`, { mode: 'ok' }),
  },
  'ready step running': {
    readyStep: 'echo ready >>ready; until [ -e go ]; do sleep 0.2; done',
    reached: (id) => linesOf(id, 'ready') === 1,
    letGo: (id) => letGo(id, 'go'),
  },
  'command running': {
    command: 'cd; echo ran >>ran; until [ -e go ]; do sleep 0.2; done; echo done',
    reached: (id) => linesOf(id, 'ran') === 1,
    letGo: (id) => letGo(id, 'go'),
  },
  // These two do not stay so for long, and come last.
  'start asked': {
    hold: (id) => system.cloud.fault({ action: 'StartInstances', kind: 'slow', delay_ms: 30_000, instance_id: id }),
    reached: (id) => instance('StartInstances', id) === 1,
  },
  'machine pending': {
    reached: async (id) => (await system.cloud.stateOf(id)) === 'pending',
  },
};

async function coldStart(name: string, phase: Cold): Promise<{ readonly id: string; readonly task: string }> {
  const id = await system.cloud.idOf(name);
  await phase.hold?.(id);
  const task = await ask(system, name, 'commands', { command: phase.command ?? 'cd; echo ran >>ran; echo done' });
  await until(`${name} is there`, () => phase.reached(id, task));
  return { id, task };
}

test('a cold start, killed in each of its phases', async () => {
  const phases = Object.entries(COLD).map(([what, phase]) => ({ what, phase, name: what.replaceAll(' ', '-') }));
  await Promise.all(
    phases.map(async ({ name, phase }) => {
      const id = await system.cloud.make(name);
      await system.cloud.control(`instances/${id}/fail`, { state: 'stopped' });
      await register(system, name, {
        cloud_idle_timeout_min: 1_440,
        ready_steps: [
          { name: 'witness', kind: 'exec', command: phase.readyStep ?? 'echo ready >>ready', timeout_s: 120 },
        ],
      });
    }),
  );
  const [lasting, passing] = [phases.slice(0, 4), phases.slice(4)];
  const started = await Promise.all(lasting.map(({ name, phase }) => coldStart(name, phase)));
  for (const { name, phase } of passing) started.push(await coldStart(name, phase));
  await restart();
  await Promise.all(phases.map(({ phase }, index) => phase.letGo?.(started[index]?.id ?? '')));
  const rows = await Promise.all(
    phases.map(async ({ what }, index) => {
      const { id = '', task = '' } = started[index] ?? {};
      const { status, result, error } = await ended(system, task, END_MS);
      const counts = [instance('StartInstances', id), linesOf(id, 'ready'), linesOf(id, 'ran')];
      return [what, { status, error, stdout: result?.stdout, counts }];
    }),
  );
  const killed = linesOf(started[2]?.id ?? '', 'ready');
  process.stdout.write(`a ready step that was killed in the middle ran ${killed} times\n`);
  const once = { status: 'COMPLETED', error: null, stdout: 'done\n', counts: [1, 1, 1] };
  const twice = { ...once, counts: [1, expect.any(Number), 1] };
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(phases.map(({ what }) => [what, what === 'ready step running' ? twice : once])),
  );
  expect(killed).toBeLessThanOrEqual(2);
}, 180_000);

const events = z.array(z.looseObject({ kind: z.string() }));
const faults = z.object({ faults: z.array(z.looseObject({ instance_id: z.string(), times: z.number() })) });
const stopTasks = z.array(z.looseObject({ task_id: z.string(), resource: z.string() }));

const isWarned = async (name: string) =>
  events.parse((await system.api.call('GET', `/api/v1/members/${name}/events`)).body).some(isWarning);
const isWarning = ({ kind }: { readonly kind: string }) => kind === 'stop_warning';
const THROTTLES = 1_000;
const isThrottled = async (id: string) => {
  const answer = await fetch(`${String(system.cloud.process.ready.ec2)}/_sandbox/faults`);
  const { faults: left } = faults.parse(await answer.json());
  return left.some(({ instance_id: of, times }) => of === id && times < THROTTLES);
};

const IDLE: Readonly<Record<string, (name: string, id: string) => Promise<boolean> | boolean>> = {
  'stop planned': (_, id) => isThrottled(id),
  'stop asked': (_, id) => instance('StopInstances', id) === 1,
  stopping: async (_, id) => (await system.cloud.stateOf(id)) === 'stopping',
  warned: async (name, id) => (await isWarned(name)) && instance('StopInstances', id) === 0,
};

test('an idle stop, killed in each of its phases', async () => {
  const phases = Object.entries(IDLE).map(([what, reached]) => ({ what, reached, name: what.replaceAll(' ', '-') }));
  const ids = await Promise.all(
    phases.map(async ({ name }) => {
      const id = await system.cloud.make(name);
      await register(system, name, { cloud_idle_timeout_min: 1_440 });
      return id;
    }),
  );
  const [planned = '', asked = ''] = ids;
  await system.cloud.fault({ action: 'StopInstances', kind: 'throttle', times: THROTTLES, instance_id: planned });
  await system.cloud.fault({ action: 'StopInstances', kind: 'slow', delay_ms: 30_000, instance_id: asked });
  const mayIdle = async (name: string) =>
    system.api.call('PATCH', `/api/v1/members/${name}`, { cloud_idle_timeout_min: 1 });
  await Promise.all(phases.slice(0, 3).map(({ name }) => mayIdle(name)));
  // Idle all along, the last one is warned at the next look, which is to be while the others are being stopped.
  await until('stopping', async () => (await system.cloud.stateOf('stopping')) === 'stopping');
  await mayIdle('warned');
  await Promise.all(phases.map(({ what, name, reached }, index) => until(what, () => reached(name, ids[index] ?? ''))));
  const atKill = await Promise.all(
    phases.map(async ({ what, name, reached }, index) => [what, await reached(name, ids[index] ?? '')]),
  );
  await restart();
  expect(atKill).toEqual(phases.map(({ what }) => [what, true]));
  for (const id of ids)
    await until(`${id} is stopped`, async () => (await system.cloud.stateOf(id)) === 'stopped', END_MS);
  const { body } = await system.api.call('GET', '/api/v1/tasks?operation=stop_instance');
  const tasks = stopTasks.parse(body);
  const rows = await Promise.all(
    phases.map(async ({ what, name }, index) => {
      const mine = tasks.filter(({ resource }) => resource === name);
      const ends = await Promise.all(mine.map(({ task_id: id }) => ended(system, id, END_MS)));
      return [what, ends.map(({ status }) => status), instance('StopInstances', ids[index] ?? '')];
    }),
  );
  expect(rows).toEqual(phases.map(({ what }) => [what, ['COMPLETED'], 1]));
}, 180_000);
