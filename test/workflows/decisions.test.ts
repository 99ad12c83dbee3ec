// Decisions in races: at the deadline, against each other, and by a caller who gave up.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { randomOf } from '../kit/random.ts';
import { setTimeout as pause } from 'node:timers/promises';

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

test('a task without a decision: nothing ran', async () => {
  const id = await ask();
  expect(await system.api.end(id)).toMatchObject({ status: 'FAILED', reason: 'expired' });
  expect(system.cloud.effects('StopInstances')).toEqual([]);
});
