// Two thousand random requests made from the OpenAPI document: documented answers only, and nothing happens by them.
import fc from 'fast-check';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import type { Known, Wild } from './arbitraries.ts';
import { wildOf } from './arbitraries.ts';
import type { Document, Judge } from './document.ts';
import { documentOf, judgeOf } from './document.ts';

const REQUESTS = 2_000;
const AT_ONCE = 8;
const SEED = Number(process.env.FERMATA_FUZZ_SEED ?? Date.now() % 2 ** 31);

let system: System;
let document: Document;
let judge: Judge;
let known: Known;
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 600 } } });
  document = await documentOf(system.api);
  judge = judgeOf(document);
  const ended = await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' });
  const held = await system.api.submit('delete_instance', { instance_id: 'vm-prod-01' });
  await system.api.end(ended);
  await system.api.reach(held, 'AWAITING_CONFIRMATION');
  const member = 'box';
  const body = { friendly_name: member, host: '127.0.0.1', port: 1, username: 'x', key_path: '/x', work_folder: '/x' };
  expect((await system.api.call('POST', '/api/v1/members', body)).status).toBe(201);
  known = { ended, held, member };
});
afterAll(() => system?.stop());

/** Every route but the endless one, those with a body four times as often. */
function routes() {
  return Object.entries(document.paths)
    .filter(([path]) => path !== '/api/v1/events')
    .flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) =>
        Array.from({ length: method === 'post' ? 4 : 1 }, () => [path, method, operation] as const),
      ),
    );
}

async function complaintOf(wild: Wild): Promise<string | undefined> {
  const { method, path, operation, headers, body } = wild;
  const answer = await system.api.call(method, path, body, headers);
  const complaint = answer.status >= 500 ? `${answer.status}` : judge(operation, answer);
  if (complaint === undefined) return undefined;
  const shown = typeof body === 'string' ? body.slice(0, 300) : JSON.stringify(body);
  return `${complaint}\n${method} ${path.slice(0, 300)} ${JSON.stringify(headers)}\n${shown}\n${answer.text.slice(0, 500)}`;
}

test(`${REQUESTS} requests of seed ${SEED} get documented answers and do nothing`, async () => {
  const catalogue = (await system.api.call('GET', '/api/v1/operations')).body;
  const arbitrary = fc.oneof(...routes().map((route) => wildOf(document, route, known, catalogue)));
  const wilds = fc.sample(arbitrary, { numRuns: REQUESTS, seed: SEED });
  const complaints: string[] = [];
  const statuses = new Map<string, number>();
  const queue = wilds.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const wild of queue) {
        const complaint = await complaintOf(wild);
        if (complaint !== undefined) complaints.push(complaint);
        statuses.set(wild.operation.operationId, (statuses.get(wild.operation.operationId) ?? 0) + 1);
      }
    }),
  );
  expect(complaints.slice(0, 5)).toEqual([]);
  expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
  expect([...statuses.keys()].sort()).toEqual(
    [...new Set(routes().map(([, , { operationId }]) => operationId))].sort(),
  );
  expect((await system.api.list()).map(({ task_id }) => task_id)).toEqual([known.ended, known.held]);
  expect(await system.api.get(known.held)).toMatchObject({ status: 'AWAITING_CONFIRMATION', decided_by: null });
  expect(system.cloud.effects()).toEqual([]);
  expect((await system.api.call('GET', '/readyz')).status).toBe(200);
}, 120_000);

test('the judge refuses what the document does not know', async () => {
  const operation = document.paths['/health']?.get;
  if (!operation) throw new Error('no /health');
  const answer = await system.api.call('GET', '/health');
  expect(judge(operation, answer)).toBeUndefined();
  expect(judge(operation, { ...answer, status: 418 })).toContain('418 is not documented');
  expect(judge(operation, { ...answer, body: { status: 'bad' } })).toContain('does not fit');
  expect(judge(operation, { ...answer, headers: new Headers({ 'content-type': 'text/html' }) })).toContain('text/html');
});
