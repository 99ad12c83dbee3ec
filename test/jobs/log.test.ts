// The log of a job: by bytes and as events, over rotation, while it is written, and without a secret in any cut of it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from '../kit/hosts.ts';
import { jobEnds, jobIs, jobNow, logOf, startJob } from '../kit/jobs.ts';
import { register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { until } from '../kit/until.ts';

const SECRET = 'tell-nobody-4b1e-"quoted"-77aa';

let system: System;
let instanceId: string;
beforeAll(async () => {
  system = await startSystem({
    env: { FERMATA_SECRET_TELL: SECRET, FERMATA_SECRET_LIKE: 'gggggggg-and-so-on' },
    config: {
      secrets: { commands: { mint: ['sh', '-c', 'echo "minted-$(od -An -N9 -tx1 /dev/urandom | tr -d " ")"'] } },
    },
  });
  instanceId = await system.cloud.make('logs');
  await register(system, 'logs', { job_slots: 4 });
}, 90_000);
afterAll(() => system?.stop(), 30_000);

/** All that the machine has of a log. */
function onMachine(id: string): Buffer {
  const folder = join(homeOf(system, instanceId), '.fermata', 'jobs', id, 'log');
  return Buffer.concat(
    readdirSync(folder)
      .sort()
      .map((file) => readFileSync(join(folder, file))),
  );
}

/** Follows a log to its end as events, from an offset. */
async function followed(id: string, headers: Record<string, string> = {}): Promise<{ bytes: Buffer; last: number }> {
  const response = await fetch(`${system.api.url}/api/v1/jobs/${id}/log?follow=1`, { headers });
  const text = await response.text();
  const parts = [...text.matchAll(/^event: log\ndata: (.*)$/gm)].map(([, data = '']) => Buffer.from(data, 'base64'));
  expect(text).toMatch(/event: end\ndata: \{\}\n\n$/);
  const [, last = ''] = /id: (\d+)\nevent: end/.exec(text) ?? [];
  return { bytes: Buffer.concat(parts), last: Number(last) };
}

test('followed while it is written, it has the bytes of the machine, and goes on where a reader was cut off', async () => {
  const id = await startJob(
    system,
    'logs',
    'for i in $(seq 400); do echo "$i $(seq -s - 300)"; [ $i -gt 5 ] || sleep 1; done; sleep 1; printf end',
  );
  const { bytes, last } = await followed(id);
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
  const whole = onMachine(id);
  expect(bytes.equals(whole)).toBe(true);
  expect(last).toBe(whole.length);
  expect((await logOf(system, id)).equals(whole)).toBe(true);
  const rest = await followed(id, { 'last-event-id': '100000' });
  expect(rest.bytes.equals(whole.subarray(100_000))).toBe(true);
  const answer = await fetch(`${system.api.url}/api/v1/jobs/${id}/log?offset=5&limit=10`);
  expect(answer.headers.get('x-log-offset')).toBe('5');
  expect(Buffer.from(await answer.arrayBuffer()).equals(whole.subarray(5, 15))).toBe(true);
  const once = await fetch(`${system.api.url}/api/v1/jobs/${id}/log?offset=7&limit=1000000`);
  expect(Buffer.from(await once.arrayBuffer()).equals(whole.subarray(7))).toBe(true);
  const after = await fetch(`${system.api.url}/api/v1/jobs/${id}/log?offset=99999999`);
  expect([after.status, (await after.arrayBuffer()).byteLength]).toEqual([200, 0]);
}, 120_000);

test('a file of it that ends with what could begin a secret keeps nothing from being carried', async () => {
  const secrets = { LIKE: { env: 'LIKE' } };
  const id = await startJob(system, 'logs', "head -c 17000000 /dev/zero | tr '\\0' g; echo", { secrets });
  expect(await jobEnds(system, id, 40_000)).toMatchObject({ status: 'completed' });
  expect((await logOf(system, id)).equals(onMachine(id))).toBe(true);
}, 60_000);

test('secrets are stars of the same length, whole, in pieces, in JSON, and at the very end', async () => {
  const [first, rest] = [SECRET.slice(0, 9), SECRET.slice(9)];
  const command = [
    'echo "whole: $TELL."',
    `printf 'in pieces: ${first}'; sleep 3; printf '%s\\n' '${rest}'`,
    `printf '{"json": "%s"}\\n' '${JSON.stringify(SECRET).slice(1, -1)}'`,
    'echo ghs_abcdefghijklmnopqrstuvwxyz012345',
    'echo seen',
  ].join('; ');
  const id = await startJob(system, 'logs', command, { secrets: { TELL: { env: 'TELL' } } });
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed' });
  const log = (await logOf(system, id)).toString();
  expect(log.length).toBe(onMachine(id).length);
  expect(log).toContain(`whole: ${'*'.repeat(SECRET.length)}.\n`);
  expect(log).toContain(`in pieces: ${'*'.repeat(SECRET.length)}\n`);
  expect(log).toContain('seen\n');
  for (const part of [SECRET, first, rest, '4b1e', '77aa', 'ghs_abc']) expect(log).not.toContain(part);
}, 120_000);

test('a log is held back while a secret that may be in it cannot be read', async () => {
  const id = await startJob(system, 'logs', 'echo "$X"', { secrets: { X: { env: 'NOT_THERE' } } });
  const job = await jobEnds(system, id);
  expect(job).toMatchObject({ status: 'failed', launches: 1 });
  expect(job.reason).toContain('FERMATA_SECRET_NOT_THERE');
  expect((await logOf(system, id)).length).toBe(0);
}, 120_000);

test('what a command printed is known to the worker that sent it; for another one the log is held back', async () => {
  const secrets = { S: { command: 'mint' } };
  const before = await startJob(system, 'logs', 'echo "first $S"', { secrets });
  const id = await startJob(system, 'logs', 'until [ -e ~/go ]; do sleep 0.1; done; echo "then $S"', { secrets });
  await jobEnds(system, before);
  expect((await logOf(system, before)).toString()).toMatch(/first \*{25}\n/);
  await jobIs(system, id, ['running']);
  await system.worker.kill9();
  writeFileSync(join(homeOf(system, instanceId), 'go'), '');
  await system.worker.start();
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', log_held: expect.stringContaining('secret') });
  expect(onMachine(id).toString()).toMatch(/then minted-[0-9a-f]{18}\n/);
  expect((await logOf(system, id)).toString()).not.toContain('minted');
}, 120_000);

test('a secret that was changed since it was sent is not shown: the log is held back until it is known again', async () => {
  const folder = join(system.dir, 'secrets');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'rotated'), 'the-former-value');
  const command = 'until [ -e ~/on ]; do sleep 0.1; done; echo "now $R"; until [ -e ~/off ]; do sleep 0.1; done';
  const id = await startJob(system, 'logs', command, { secrets: { R: { file: 'rotated' } } });
  await jobIs(system, id, ['running']);
  await system.worker.kill9();
  writeFileSync(join(folder, 'rotated'), 'the-newest-value');
  writeFileSync(join(homeOf(system, instanceId), 'on'), '');
  await system.worker.start();
  await until('it is held back', async () => (await jobNow(system, id))['log_held'] !== null);
  expect((await logOf(system, id)).toString()).not.toContain('now');
  writeFileSync(join(folder, 'rotated'), 'the-former-value');
  writeFileSync(join(homeOf(system, instanceId), 'off'), '');
  expect(await jobEnds(system, id)).toMatchObject({ status: 'completed', log_held: null });
  expect(onMachine(id).toString()).toContain('now the-former-value');
  expect((await logOf(system, id)).toString()).toContain(`now ${'*'.repeat(16)}`);
}, 120_000);
