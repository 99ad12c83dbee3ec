// Weaknesses 19 to 21: a cloud that is full or throttles, and secrets that are missing: waited out, named, never asked for.
import { register, run } from '../kit/members.ts';
import { changesOf, detailOf, tasksOn } from '../kit/member-watch.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

const CAPACITY_S = 1.5;

let system: System;
beforeAll(async () => {
  system = await startSystem({
    config: {
      execution: { retry_delay_seconds: 0.05, max_retries: 3 },
      machines: { capacity_seconds: CAPACITY_S },
      provision: { agent_auth: { claude: { AGENT_KEY: { env: 'NOT_THERE' } } } },
    },
  });
}, 60_000);
afterAll(() => system.stop(), 30_000);

const SECRET = { VALUE: { env: 'NOT_THERE' } };
const MISSING = 'NOT_THERE cannot be read by the worker: it is not set';

/** Registers a machine that is stopped. */
async function asleep(name: string) {
  await system.cloud.control(`instances/${name}/fail`, { state: 'stopped' });
  await register(system, name);
  return system.cloud.idOf(name);
}

test.each([
  ['capacity', 'vm-prod-01'],
  ['throttle', 'vm-prod-02'],
])('19: a start that meets %s three times is made in the end, once', async (kind, name) => {
  const instance = await asleep(name);
  await system.cloud.fault({ action: 'StartInstances', kind, times: 3, instance_id: instance });
  expect(await run(system, name, 'echo started')).toMatchObject({ result: { stdout: 'started\n' } });
  expect(changesOf(system, 'StartInstances', instance)).toHaveLength(1);
  const [start] = await tasksOn(system, 'start_instance', name);
  expect(await system.api.get(start?.task_id ?? '')).toMatchObject({
    status: 'COMPLETED',
    attempts: expect.any(Number),
  });
});

test.each([
  ['capacity', 'vm-staging-01', 'The cloud has no capacity'],
  ['throttle', 'web-1', 'The cloud asks for fewer calls'],
])('19: a start that meets %s for good fails with words for it, soon', async (kind, name, words) => {
  const instance = await asleep(name);
  await system.cloud.fault({ action: 'StartInstances', kind, times: -1, instance_id: instance });
  const begun = Date.now();
  const refused = await run(system, name, 'true');
  expect(refused).toMatchObject({
    status: 'FAILED',
    reason: 'retries_exhausted',
    error: expect.stringContaining(words),
  });
  expect(refused.error).not.toContain('  ');
  const patience = kind === 'capacity' ? CAPACITY_S * 1000 : 0;
  expect(Date.now() - begun).toBeGreaterThanOrEqual(patience);
  expect(await system.cloud.stateOf(name)).toBe('stopped');
  await system.cloud.clearFaults();
});

test('19: credentials that the cloud refuses are named at once, and nothing is tried again', async () => {
  const instance = await asleep('web-2');
  const fault = { code: 'UnauthorizedOperation', status: 403, message: 'not you' };
  await system.cloud.fault({ action: 'StartInstances', kind: 'error', instance_id: instance, ...fault });
  const refused = await run(system, 'web-2', 'true');
  expect(refused).toMatchObject({
    status: 'FAILED',
    reason: 'unauthorized',
    error: expect.stringContaining('not you'),
  });
  expect(refused.error).toContain('credentials');
  expect(changesOf(system, 'StartInstances', instance)).toEqual([]);
});

test('20, 21: a secret that is missing is a note or a refusal in words, and nobody is waited for', async () => {
  const step = { name: 'token', kind: 'secret_file', path: '.token', secrets: SECRET, retries: 0 };
  await register(system, 'api-gateway-1', { llm_provider: 'claude', ready_steps: [step] });
  const done = await run(system, 'api-gateway-1', 'ls ~/.token || echo none');
  expect(done).toMatchObject({ status: 'COMPLETED', result: { stdout: 'none\n' } });
  const { ready_note: note, ready_runs: runs } = await detailOf(system, 'api-gateway-1');
  for (const name of ['agent_auth', 'token']) {
    expect(note).toMatch(new RegExp(`ready step ${name} failed: .*${MISSING}`));
    expect(runs.find((each) => each.name === name)).toMatchObject({ ok: false });
  }

  const changed = { ready_steps: [{ ...step, required: true }], llm_provider: null };
  await system.api.call('PATCH', '/api/v1/members/api-gateway-1', changed);
  const refused = await run(system, 'api-gateway-1', 'true');
  expect(refused).toMatchObject({ status: 'FAILED', reason: 'failed', error: expect.stringContaining(MISSING) });
  const forCommand = await run(system, 'api-gateway-1', 'true', { secrets: SECRET });
  expect(forCommand).toMatchObject({ status: 'FAILED', reason: 'failed' });
});
