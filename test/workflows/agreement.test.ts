// Store and workflow say the same, whatever moment a cancellation or a kill of the worker chose.
import { setTimeout as pause } from 'node:timers/promises';
import { auditFlaws, disagreements, doubledEffects } from '../kit/agreement.ts';
import { randomOf } from '../kit/random.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const ROUNDS = 12;
let system: System;
const random = randomOf();
beforeAll(async () => {
  process.stdout.write(`seed: FERMATA_SEED=${random.seed}\n`);
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
});
afterAll(() => system?.stop());

/** A task that is submitted, approved and executed within a second or two, on an instance of its own. */
async function run(name: string): Promise<string> {
  await system.cloud.make(name);
  const id = await system.api.submit('delete_instance', { instance_id: name });
  void system.api.confirm(id, true).catch(() => undefined);
  return id;
}

test(`${ROUNDS} cancels at random moments`, async () => {
  const ids = await Promise.all(
    Array.from({ length: ROUNDS }, async (_, index) => {
      const id = await run(`cancel-${index}`);
      await pause(random.between(0, 600));
      await system.api.cancel(id);
      return id;
    }),
  );
  const ended = await Promise.all(ids.map((id) => system.api.end(id)));
  expect(ended.map(({ status }) => status)).not.toContain('FAILED');
  expect(await disagreements(system)).toEqual([]);
});

test(`${ROUNDS} kills of the worker at random moments`, async () => {
  const ids: string[] = [];
  for (let index = 0; index < ROUNDS; index += 1) {
    ids.push(await run(`kill-${index}`));
    await pause(random.between(0, 500));
    await system.worker.kill9();
    await system.worker.start();
  }
  for (const id of ids) {
    // The decision of a caller who was cut off may have to be repeated.
    await until('approved', async () => (await system.api.confirm(id, true)).status === 200, 90_000);
    expect(await system.api.end(id)).toMatchObject({ status: 'COMPLETED' });
  }
  expect(await disagreements(system)).toEqual([]);
  expect(doubledEffects(system)).toEqual([]);
  expect(await auditFlaws(system)).toEqual([]);
}, 240_000);
