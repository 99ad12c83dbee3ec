// A command on a member, from HTTP through Temporal and SSH to a machine of the sandbox and back.
import { randomUUID } from 'node:crypto';
import { openPostgres } from '../../clients/postgres.ts';
import { loadConfig } from '../../config/load.ts';
import { assetPath } from '../../config/paths.ts';
import { policyOf } from '../../config/policy.ts';
import { termsOf } from '../../domain/policy.ts';
import { operationOf } from '../../operations/index.ts';
import { noteJob } from '../../store/jobs.ts';
import { noteMember } from '../../store/member-events.ts';
import { recordEvent } from '../../store/record.ts';
import { detailOf } from '../kit/member-watch.ts';
import { member, register, run } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop(), 30_000);

test('a running instance is registered with its address, and runs a command', async () => {
  const registered = await register(system, 'gpu-train-01');
  expect(registered.warnings).toEqual([]);
  expect(registered.state).toBe('running');
  expect(registered.host).toMatch(/^127\./);
  const task = await run(system, 'gpu-train-01', 'echo "hello $NAME"; echo oops >&2; exit 3', { env: { NAME: 'you' } });
  expect(task).toMatchObject({
    status: 'COMPLETED',
    result: { exit_code: 3, stdout: 'hello you\n', stderr: 'oops\n' },
  });
}, 90_000);

test('a stopped machine is started for a command, once, by a task of its own', async () => {
  const registered = await register(system, 'vm-dev-01');
  expect(registered.warnings?.join()).toContain('stopped');
  const task = await run(system, 'VM-dev-01', 'cat', { stdin: 'as sent\n' });
  expect(task).toMatchObject({ status: 'COMPLETED', result: { exit_code: 0, stdout: 'as sent\n' } });
  expect(system.cloud.effects('StartInstances')).toHaveLength(1);
  const { body } = await system.api.call('GET', `/api/v1/members/${registered.member_id}`);
  expect(member.parse(body).state).toBe('running');
}, 90_000);

test('a command that prints NUL characters and half ones ends, without them', async () => {
  const task = await run(system, 'gpu-train-01', "printf 'a\\0b\\355\\240\\200c'; printf 'x\\0y' >&2");
  expect(task).toMatchObject({ status: 'COMPLETED', result: { stdout: 'ab\ufffd\ufffd\ufffdc', stderr: 'xy' } });
}, 60_000);

test('a ready step whose last words are cut through a character is a note, and no more', async () => {
  const command = "printf '%0299d' 0; printf '\\360\\237\\230\\200\\n'; exit 1";
  await register(system, 'vm-prod-01', {
    ready_steps: [{ name: 'cut', kind: 'exec', retries: 0, command }],
  });
  const task = await run(system, 'vm-prod-01', 'true');
  expect(task).toMatchObject({ status: 'COMPLETED' });
  const { ready_note: note } = await detailOf(system, 'vm-prod-01');
  expect(note).toMatch(/0\ufffd$/);
}, 60_000);

test('whatever the texts of an event hold, it is recorded', async () => {
  const id = randomUUID();
  const input = { operation: 'list_instances', resource: 'r', params: {} };
  const terms = termsOf(operationOf('list_instances'), policyOf(loadConfig(assetPath('config.json'))), undefined, 0);
  const says = 'a\0b\ud800';
  const wish = { to: 'RUNNING' as const, phase: 'reading' as const, says, error: says, result: { 'k\0': says } };
  const task = { id, input, risk: terms.risk, effect: terms.effect };
  const postgres = openPostgres(system.databaseUrl);
  const { event } = await recordEvent(postgres, { task, terms, runId: 'run', seq: 1, wish });
  expect(event?.detail).toMatchObject({ says: 'ab\ufffd', error: 'ab\ufffd' });
  const noted = { id, tenant: 'default', state: 'queued' as const };
  await noteJob(postgres.db, noted, { says, detail: { tail: says } });
  await noteMember(postgres.db, noted, { by: 'fermata', kind: 'test', says, detail: { tail: says } });
  await postgres.close();
});
