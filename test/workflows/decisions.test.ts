// Decisions in races: at the deadline, against each other, and by a caller who gave up.
import { workflowIdOf } from '../../domain/task.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { randomOf } from '../kit/random.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { decideUpdate } from '../../workflows/messages.ts';

const CONFIRM_S = 1.2;
const AIMED = 40;
let system: System;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: CONFIRM_S } } });
});
afterAll(() => system?.stop());

const ask = () => system.api.submit('scale_down_cluster', { cluster_id: 'cluster-prod', target_nodes: 7 });

test('approvals aimed at the deadline are never answered 200 and then expired', async () => {
  const random = randomOf();
  const answers = await Promise.all(
    Array.from({ length: AIMED }, async (_, index) => {
      await pause(index * 60);
      const id = await system.api.submit('deploy_to_production', { service_name: 'web', image_tag: `v${index}` });
      const { approve_by } = await system.api.reach(id, 'AWAITING_CONFIRMATION');
      await pause(Math.max(0, Date.parse(approve_by ?? '') - Date.now() + random.between(-60, 20)));
      const { status } = await system.api.confirm(id, true);
      return { id, status };
    }),
  );
  for (const { id, status } of answers) {
    expect([200, 409]).toContain(status);
    const [, , decided] = await system.api.events(id);
    if (status === 200) expect(decided).toMatchObject({ to: 'RUNNING', reason: 'approved' });
    else expect(await system.api.end(id)).toMatchObject({ reason: 'expired' });
  }
  await Promise.all(answers.map(({ id, status }) => (status === 200 ? system.api.cancel(id) : undefined)));
  await Promise.all(answers.map(({ id }) => system.api.end(id)));
}, 120_000);

test('approve and reject at once: one wins, and the other is told by whom', async () => {
  for (let round = 0; round < 8; round += 1) {
    const id = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
    await system.api.reach(id, 'AWAITING_CONFIRMATION');
    const verdicts = round % 2 === 0 ? [false, true] : [false, false];
    const answers = await Promise.all([
      system.api.confirm(id, verdicts[0] ?? false),
      system.api.confirm(id, verdicts[1] ?? false),
    ]);
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual(round % 2 === 0 ? [200, 409] : [200, 200]);
    if (round % 2 === 0) {
      const loser = answers.find(({ status }) => status === 409);
      expect(loser?.text).toMatch(/already (approved|rejected) by anonymous/);
      // The instance is needed again: whoever won, the next round must find it.
      if (answers[1]?.status === 200) {
        await system.api.end(id);
        break;
      }
    }
    await system.api.end(id);
  }
  const decisions = await system.db.query('select count(*)::int as n from events where detail ? $1 group by task_id', [
    'decision',
  ]);
  expect(decisions.rows.every(({ n }) => n === 1)).toBe(true);
});

test('an approval whose caller gave up while the worker was away does not act later', async () => {
  const slow = await startSystem({ config: { confirmation: { timeout_seconds: 9 } } });
  try {
    const id = await slow.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
    await slow.api.reach(id, 'AWAITING_CONFIRMATION');
    await slow.worker.kill9();
    const answer = await slow.api.confirm(id, true);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
    await slow.worker.start();
    expect(await slow.api.end(id)).toMatchObject({ status: 'FAILED', reason: 'expired' });
    expect(slow.cloud.effects('TerminateInstances')).toEqual([]);
  } finally {
    await slow.stop();
  }
}, 90_000);

describe('decisions while no worker takes them', () => {
  let slow: System;
  const held = async (name: string) => {
    await slow.cloud.make(name);
    const id = await slow.api.submit('delete_instance', { instance_id: name });
    await slow.api.reach(id, 'AWAITING_CONFIRMATION');
    await slow.worker.stop();
    return id;
  };
  beforeAll(async () => {
    slow = await startSystem({ config: { confirmation: { timeout_seconds: 120 } } });
  });
  afterAll(() => slow?.stop());

  test('one that was not answered counts when it is repeated under the same request id', async () => {
    const id = await held('repeat-me');
    const headers = { 'x-request-id': 'the-same-each-time' };
    const decide = () => slow.api.call('POST', `/api/v1/tasks/${id}/confirm`, { confirmed: true }, headers);
    expect(await decide()).toMatchObject({ status: 503, text: expect.stringContaining('epeat') });
    await slow.worker.start();
    expect((await decide()).status).toBe(200);
    expect((await decide()).status).toBe(200);
    expect(await slow.api.end(id)).toMatchObject({ status: 'COMPLETED', decided_by: 'anonymous' });
    expect((await decide()).status).toBe(200);
  }, 60_000);

  test('one that came too late takes nothing from the one after it', async () => {
    const id = await held('one-after-the-other');
    const handle = slow.temporal.workflow.getHandle(workflowIdOf(id));
    const sent = async (leftMs: number) => {
      const decision = { approve: true, by: 'x', validUntil: new Date(Date.now() + leftMs).toISOString() };
      const answer = handle.executeUpdate(decideUpdate, { args: [decision] });
      await pause(300);
      return { answer: answer.catch((error: unknown) => error) };
    };
    const [late, inTime] = [await sent(-1_000), await sent(60_000)];
    await slow.worker.start();
    expect(await inTime.answer).toMatchObject({ approved: true, by: 'x' });
    expect(await late.answer).toBeInstanceOf(Error);
    expect((await slow.api.end(id)).status).toBe('COMPLETED');
  }, 60_000);
});

test('a task without a decision: nothing ran', async () => {
  const id = await ask();
  expect(await system.api.end(id)).toMatchObject({ status: 'FAILED', reason: 'expired' });
  expect(system.cloud.effects('StopInstances')).toEqual([]);
});
