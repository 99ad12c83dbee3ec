// Weaknesses 5, 8 and 12: several controllers, several who want one machine, and names that look like an agent's.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { z } from 'zod';
import { onOneConnection } from '../../clients/postgres.ts';
import { assetPath } from '../../config/paths.ts';
import { migrate } from '../../store/migrate.ts';
import { memberOnInstance } from '../../store/members.ts';
import { bodyOn, ask, ended, register, run } from '../kit/members.ts';
import { changesOf, eventsOf, release, tasksOn, UNTIL_RELEASED, verdictsOf } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { makeDatabase, startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

/** Named as no other program of this machine, whose processes all hosts of the sandbox see. */
const AGENT = 'fermata-agent-x';
const PATIENCE_S = 12;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    workers: 2,
    config: {
      execution: { lease_wait_seconds: PATIENCE_S },
      idle: {
        time_scale: 0.02,
        grace_minutes: 1,
        cpu_busy_percent: null,
        network_busy_bytes_per_second: null,
        process_names: [AGENT],
      },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const stopped = (name: string) =>
  until(`${name} is stopped`, async () => (await system.cloud.stateOf(name)) === 'stopped', 60_000);

test('5: what one controller uses, another one does not stop, also when the first one dies', async () => {
  const { member_id: id } = await register(system, 'vm-prod-01', { cloud_idle_timeout_min: 1 });
  const instance = await system.cloud.idOf('vm-prod-01');
  const works = await ask(system, id, 'commands', { command: UNTIL_RELEASED });
  await until('it works', async () => (await verdictsOf(system, id))[0]?.reasons.includes('1 command in flight'));
  await system.workers[0]?.kill9();
  const killed = new Date();
  const looks = 3;
  await until('the other one looks', async () => (await verdictsOf(system, id, killed)).length >= looks, 60_000);
  for (const verdict of await verdictsOf(system, id, killed)) expect(verdict.verdict).toBe('busy');
  release(system, instance);
  expect(await ended(system, works)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0, stdout: 'done\n' } });
  expect(await tasksOn(system, 'stop_instance', 'vm-prod-01')).toEqual([]);

  await system.workers[0]?.start();
  // Sweeps beside the one of the schedule, as with controllers that know nothing of each other.
  let sweeps = 0;
  const sweep = () => {
    sweeps += 1;
    const workflowId = `${system.taskQueue}-sweep-beside-${sweeps}`;
    return system.temporal.workflow.execute('sweepIdle', { workflowId, taskQueue: system.taskQueue });
  };
  await until(
    'it is stopped',
    async () => {
      await Promise.all([sweep(), sweep()]);
      return changesOf(system, 'StopInstances', instance).length > 0;
    },
    60_000,
  );
  await stopped('vm-prod-01');
  expect(changesOf(system, 'StopInstances', instance)).toHaveLength(1);
  // Neither judged what the other one had judged already.
  const said = (await verdictsOf(system, id)).map(({ next }) => next).reverse();
  expect(said.join(' ')).not.toContain('warn warn');
  expect(await eventsOf(system, id, 'stop_warning')).toHaveLength(said.filter((next) => next === 'warn').length);
}, 120_000);

test('8: an instance is one member, whatever it is called', async () => {
  const { member_id: id } = await register(system, 'gpu-train-01');
  const instance = await system.cloud.idOf('gpu-train-01');
  for (const [name, taken] of [
    ['another', 'The instance is already that of gpu-train-01'],
    ['GPU-train-01', 'The name is already that of another member'],
  ] as const) {
    const { status, text } = await system.api.call('POST', '/api/v1/members', bodyOn(system, name, instance));
    expect([status, text]).toEqual([409, expect.stringContaining(taken)]);
  }
  // A region that was forgotten at first makes no second member of it.
  const elsewhere = bodyOn(system, 'gpu-in-the-west', instance, { cloud_region: 'us-west-2' });
  const { status, text } = await system.api.call('POST', '/api/v1/members', elsewhere);
  expect([status, text]).toEqual([409, expect.stringContaining('The instance is already that of gpu-train-01 in')]);
  const patched = await system.api.call('PATCH', `/api/v1/members/${id}`, {
    cloud_instance_id: await system.cloud.idOf('vm-prod-02'),
  });
  expect(patched.status).toBe(422);
});

/** A database as the releases left it in which an instance could be two members. */
async function databaseOfOld(): Promise<{ readonly url: string; readonly db: pg.Pool }> {
  const folder = join(system.dir, 'migrations-of-old');
  cpSync(assetPath('store', 'migrations'), folder, { recursive: true });
  const journalPath = join(folder, 'meta', '_journal.json');
  const journal = z.looseObject({ entries: z.array(z.looseObject({ idx: z.number() })) });
  const { entries, ...rest } = journal.parse(JSON.parse(readFileSync(journalPath, 'utf8')));
  writeFileSync(journalPath, JSON.stringify({ ...rest, entries: entries.filter(({ idx }) => idx <= 4) }));
  const url = await makeDatabase(system.databaseUrl);
  await migrate(url, folder);
  return { url, db: new pg.Pool({ connectionString: url, max: 2 }) };
}

test('8: where an instance is two members already, both stay, and the one that was seen has its id', async () => {
  const { url, db } = await databaseOfOld();
  try {
    const cloud = (instanceId: string, region: string) => JSON.stringify({ cloud: { instanceId, region } });
    const add = (name: string, settings: string, seen: string | null) =>
      db.query(
        `insert into members (id, tenant, name_key, target, settings, registered_by, registered_at, updated_at, observed_at)
         values ($1, 't', $1, $1, $2, 'test', now(), now(), $3)`,
        [name, settings, seen],
      );
    await add('misplaced', cloud('i-1', 'us-east-1'), null);
    await add('seen', cloud('i-1', 'us-west-2'), '2026-01-01');
    await add('other', cloud('i-2', 'us-east-1'), null);
    await add('hosts', JSON.stringify({ cloud: null }), null);
    await add('more-hosts', JSON.stringify({ cloud: null }), null);
    await migrate(url, assetPath('store', 'migrations'));
    const { rows } = await db.query('select id, instance_id from members order by id');
    expect(rows).toEqual([
      { id: 'hosts', instance_id: null },
      { id: 'misplaced', instance_id: null },
      { id: 'more-hosts', instance_id: null },
      { id: 'other', instance_id: 'i-2' },
      { id: 'seen', instance_id: 'i-1' },
    ]);
    expect(await onOneConnection(url, (queries) => memberOnInstance(queries, 't', 'i-1'))).toMatchObject({
      id: 'seen',
    });
  } finally {
    await db.end();
  }
});

test('8: a stop waits for those who use the machine, names them, and gives up in the end', async () => {
  const { member_id: id } = await register(system, 'vm-staging-01');
  const instance = await system.cloud.idOf('vm-staging-01');
  const stop = async () =>
    String(Reflect.get(Object((await system.api.call('POST', `/api/v1/members/${id}/stop`)).body), 'task_id'));
  const works = await ask(system, id, 'commands', { command: UNTIL_RELEASED });
  await until('it works', async () => (await system.api.get(works)).phase === 'executing');
  const impatient = await ended(system, await stop());
  expect(impatient).toMatchObject({ status: 'FAILED', reason: 'conflict', error: expect.stringContaining(works) });

  const patient = await stop();
  await until('it waits', async () => (await system.api.get(patient)).phase === 'waiting_for_lease');
  expect(changesOf(system, 'StopInstances', instance)).toEqual([]);
  release(system, instance);
  expect(await ended(system, works)).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0 } });
  expect(await ended(system, patient)).toMatchObject({ status: 'COMPLETED' });
  expect(changesOf(system, 'StopInstances', instance)).toHaveLength(1);
}, 90_000);

test('12: names in folders and command lines are no use of a machine; a program of that name is', async () => {
  const folder = `/tmp/${system.taskQueue}-${AGENT}`;
  const body = { cloud_idle_timeout_min: 1, work_folder: folder };
  await register(system, 'vm-prod-02', { ...body, work_folder: '/tmp' });
  const leave = (command: string) => `mkdir -p ${folder}; cd ${folder}; setsid ${command} >/dev/null 2>&1 </dev/null &`;
  await run(system, 'vm-prod-02', leave(`sh -c 'while :; do sleep 1; done' ${AGENT} --in=${folder}`));
  await system.api.call('PATCH', '/api/v1/members/vm-prod-02', { work_folder: folder });
  const mentions = await run(system, 'vm-prod-02', `pwd; grep -ls -- '--in=[/]tmp/' /proc/[0-9]*/cmdline`);
  expect(mentions).toMatchObject({ result: { stdout: expect.stringMatching(`^${folder}\n/proc/`) } });
  await stopped('vm-prod-02');
  const decided = (await verdictsOf(system, 'vm-prod-02')).find(({ next }) => next === 'stop');
  expect(decided?.reasons).toContain(`no process named ${AGENT}`);

  await register(system, 'web-1', { cloud_idle_timeout_min: 1 });
  await run(system, 'web-1', `cp "$(command -v sleep)" ~/${AGENT}; setsid ~/${AGENT} 300 >/dev/null 2>&1 </dev/null &`);
  const used = await until('it is seen', async () =>
    (await verdictsOf(system, 'web-1')).find(({ reasons }) => reasons.includes(`1 process named ${AGENT}`)),
  );
  expect(used).toMatchObject({ verdict: 'busy', next: 'none' });
}, 90_000);
