// Launches of which something is in doubt: secrets that cannot be read, answers that were lost, machines that went meanwhile.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RebootInstancesCommand } from '@aws-sdk/client-ec2';
import { jobEnds, jobIs, jobNow, startJob } from '../kit/jobs.ts';
import { makeMachine } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const HELD = 'until [ -e ~/released ]; do sleep 0.2; done';

/** Secrets that are given until a file of theirs says no more. */
const folder = mkdtempSync(join(tmpdir(), 'fermata-launches-'));
const shut = (name: string) => ['sh', '-c', `cd ${folder} && [ ! -e ${name} ] && echo value-of-${name}`];
/** Those that are given as soon as a file of theirs says so, which is between the readiness of a machine and the launch on it. */
const slow = (name: string) => {
  const waits = `cd ${folder} && touch ${name}-asked && until [ -e ${name}-given ]; do sleep 0.1; done && echo value-of-${name}`;
  return ['sh', '-c', waits];
};
const give = (name: string) => writeFileSync(join(folder, `${name}-given`), '');
const isAsked = (name: string) =>
  until(`${name} is asked for`, () => existsSync(join(folder, `${name}-asked`)), 60_000);

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      secrets: { commands: { shut: shut('shut'), once: shut('once'), never: slow('never'), gap: slow('gap') } },
    },
  });
}, 90_000);
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

const machine = (name: string) => makeMachine(system, name);

const says = (id: string, what: string) =>
  until(`it says: ${what}`, async () => (await jobNow(system, id)).reason?.includes(what), 60_000);

test('a secret that cannot be read ends a job that never ran, and only delays one that did', async () => {
  const { instanceId } = await machine('shut');
  const secrets = { TOKEN: { command: 'shut' } };
  const id = await startJob(system, 'shut', HELD, { secrets, restart_command: 'true' });
  await jobIs(system, id, ['running']);
  writeFileSync(join(folder, 'shut'), '');
  await system.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
  await says(id, 'cannot be read');
  rmSync(join(folder, 'shut'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
  writeFileSync(join(folder, 'shut'), '');
  const never = await startJob(system, 'shut', 'true', { secrets });
  expect(await jobEnds(system, never)).toMatchObject({ status: 'failed' });
}, 180_000);

test('a job whose first answer was lost runs on, though its secret and its folder are gone', async () => {
  const { home } = await machine('once');
  mkdirSync(join(home, 'work'));
  // Once, what the answer says cannot be written down.
  await system.db.query('create sequence answers');
  await system.db.query(`create function lose_answer() returns trigger language plpgsql as $$
    begin if nextval('answers') = 1 then raise 'the answer is lost'; end if; return new; end $$`);
  await system.db.query(`create trigger lose_answer before update on jobs for each row
    when (new.spec->>'command' like '%lose_answer%' and new.launch = 'begun') execute function lose_answer()`);
  const command = `touch ${folder}/once; mv ~/work ~/elsewhere; echo lose_answer >> ~/witness; ${HELD}`;
  const id = await startJob(system, 'once', command, { run_from: 'work', secrets: { TOKEN: { command: 'once' } } });
  await jobIs(system, id, ['running']);
  await system.db.query('drop trigger lose_answer on jobs');
  expect((await system.db.query('select last_value from answers')).rows[0].last_value).not.toBe('1');
  mkdirSync(join(home, 'released'));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
  expect(readFileSync(join(home, 'witness'), 'utf8')).toBe('lose_answer\n');
}, 120_000);

test('a machine that stops just before the launch has begun nothing: a job that is never resumed is tried again', async () => {
  const { instanceId } = await machine('never');
  const id = await startJob(system, 'never', 'true', { secrets: { TOKEN: { command: 'never' } }, resume: 'never' });
  await isAsked('never');
  await system.cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' });
  give('never');
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 1 });
}, 120_000);

test('a resumption of which nobody knows whether it came to its machine, which then stops, has the number that the machine wants', async () => {
  const { instanceId, home } = await machine('gap');
  give('gap');
  const secrets = { TOKEN: { command: 'gap' } };
  const id = await startJob(system, 'gap', HELD, { secrets, restart_command: 'echo $FERMATA_GENERATION >> witness' });
  await jobIs(system, id, ['running']);
  for (const file of ['gap-given', 'gap-asked']) rmSync(join(folder, file));
  await system.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
  await isAsked('gap');
  const become = (name: unknown) =>
    system.db.query(
      `update members set settings = jsonb_set(settings, '{username}', $1::jsonb) where settings->>'name' = 'gap'`,
      [JSON.stringify(name)],
    );
  const { rows } = await system.db.query(
    `select settings->>'username' as username from members where settings->>'name' = 'gap'`,
  );
  await become('nobody');
  give('gap');
  await says(id, 'so it is not known how it is');
  await system.cloud.control(`instances/${instanceId}/fail`, { state: 'stopped' });
  await says(id, 'Its machine is stop');
  await become(rows[0].username);
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
  expect(readFileSync(join(home, 'witness'), 'utf8')).toBe('2\n');
}, 180_000);

test('a row that is a launch ahead of its machine comes back to it', async () => {
  const { instanceId } = await machine('ahead');
  const id = await startJob(system, 'ahead', HELD, { restart_command: 'true' });
  await jobIs(system, id, ['running']);
  await system.db.query(`update jobs set generation = 2, launch = 'sent' where id = $1`, [id]);
  await system.cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [instanceId] }));
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', launches: 2 });
}, 120_000);
