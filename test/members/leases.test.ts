// Leases on a machine: who uses it is shown, whoever wants it alone waits in line, and is woken as soon as it is free.
import { z } from 'zod';
import { ask, ended, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop(), 30_000);

const detail = z.looseObject({
  leases: z.array(z.object({ holder: z.string(), mode: z.string(), since: z.string() })),
  waiting: z.array(z.looseObject({ task_id: z.string(), operation: z.string() })),
});
const detailOf = async (ref: string) => detail.parse((await system.api.call('GET', `/api/v1/members/${ref}`)).body);

test('a stop waits for the command that uses the machine, and goes on at once when it has ended', async () => {
  await register(system, 'vm-prod-01');
  const command = await ask(system, 'vm-prod-01', 'commands', { command: 'until [ -e ~/go ]; do sleep 0.1; done' });
  await until('it runs', async () => (await system.api.get(command)).phase === 'executing');
  const stop = await ask(system, 'vm-prod-01', 'stop', {});
  const { leases, waiting } = await until('the stop waits', async () => {
    const seen = await detailOf('vm-prod-01');
    return seen.waiting.length > 0 && seen;
  });
  expect(leases).toEqual([expect.objectContaining({ holder: `task-${command}`, mode: 'shared' })]);
  expect(waiting).toEqual([expect.objectContaining({ task_id: stop, operation: 'stop_instance' })]);
  // A command shares the machine with the other one: it passes the stop that waits.
  const second = await ended(system, await ask(system, 'vm-prod-01', 'commands', { command: 'touch ~/go' }));
  expect(second.status).toBe('COMPLETED');
  expect((await ended(system, command)).status).toBe('COMPLETED');
  expect((await ended(system, stop)).status).toBe('COMPLETED');
  const times = z
    .array(z.looseObject({ at: z.string(), to: z.string(), phase: z.string() }))
    .parse((await system.api.call('GET', `/api/v1/tasks/${stop}/events`)).body);
  expect(times.map(({ phase }) => phase)).toEqual(['planning', 'waiting_for_lease', 'executing', 'closed']);
  const lines = await system.temporal.workflowService.listWorkflowExecutions({
    namespace: 'default',
    query: `WorkflowType='keepLeases' AND TaskQueue='${system.taskQueue}'`,
  });
  expect(lines.executions).toHaveLength(1);
  expect((await detailOf('vm-prod-01')).leases).toEqual([]);
}, 90_000);

test('two that want it alone get it one after the other', async () => {
  await register(system, 'vm-prod-02');
  const command = await ask(system, 'vm-prod-02', 'commands', { command: 'until [ -e ~/go ]; do sleep 0.1; done' });
  await until('it runs', async () => (await system.api.get(command)).phase === 'executing');
  const restart = await system.api.submit('restart_instance', { instance_id: 'vm-prod-02' });
  await until('the restart waits', async () => (await system.api.get(restart)).phase === 'waiting_for_lease');
  const stop = await ask(system, 'vm-prod-02', 'stop', {});
  await until('the stop waits', async () => (await system.api.get(stop)).phase === 'waiting_for_lease');
  await ended(system, await ask(system, 'vm-prod-02', 'commands', { command: 'touch ~/go' }));
  expect([(await ended(system, restart)).status, (await ended(system, stop)).status]).toEqual([
    'COMPLETED',
    'COMPLETED',
  ]);
  expect(system.cloud.effects('RebootInstances')).toHaveLength(1);
}, 90_000);

test('who only wants the machine ready is among those who wait for it', async () => {
  await register(system, 'web-1');
  const target = `us-east-1/${await system.cloud.idOf('web-1')}`;
  const holder = await system.api.submit('delete_instance', { instance_id: 'web-2' });
  await system.api.reach(holder, 'AWAITING_CONFIRMATION');
  const { workflowExecutionInfo: info } = (await system.temporal.workflow.getHandle(`task-${holder}`).describe()).raw;
  await system.db.query(
    `insert into leases (target, holder, mode, holder_run_id, taken_at) values ($1, $2, 'exclusive', $3, now())`,
    [target, `task-${holder}`, info?.execution?.runId ?? ''],
  );
  const provision = await ask(system, 'web-1', 'provision', {});
  await until('it waits', async () => (await system.api.get(provision)).phase === 'waiting_for_lease');
  expect((await detailOf('web-1')).waiting).toEqual([
    expect.objectContaining({ task_id: provision, operation: 'provision_member' }),
  ]);
  await Promise.all([provision, holder].map((id) => system.api.call('DELETE', `/api/v1/tasks/${id}`)));
  expect(await ended(system, provision)).toMatchObject({ status: 'TERMINATED' });
}, 60_000);
