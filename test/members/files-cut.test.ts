// Files whose carrying is cut, by a lost worker or a lost link: what was carried is not carried again.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ended } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import type { TcpProxy } from '../kit/tcp-proxy.ts';
import { startTcpProxy } from '../kit/tcp-proxy.ts';
import { until } from '../kit/until.ts';

let system: System;
let proxy: TcpProxy;
let work: string;
let programs: string;
beforeAll(async () => {
  system = await startSystem();
  work = join(system.dir, 'work');
  mkdirSync(work);
  const instance = await system.cloud.idOf('gpu-train-01');
  programs = join(system.dir, 'sandbox', 'hosts', instance, 'bin');
  const { ec2, ssh } = z.object({ ec2: z.string(), ssh: account }).parse(system.cloud.process.ready);
  const shown: unknown = await (await fetch(`${ec2}/_sandbox/instances/${instance}`)).json();
  proxy = await startTcpProxy(z.object({ ssh: z.object({ host: z.string(), port: z.number() }) }).parse(shown).ssh);
  const { host, port } = proxy;
  const registration = { friendly_name: 'far', host, port, work_folder: work, host_key_policy: 'tofu', ...ssh };
  const { status, text } = await system.api.call('POST', '/api/v1/members', registration);
  if (status !== 201) throw new Error(text);
}, 90_000);
const account = z.object({ username: z.string(), key_path: z.string() });
afterAll(async () => {
  await system.stop();
  await proxy.stop();
}, 30_000);

const MIB = 1_048_576;
/** So much of a file the machine carries, and then nothing for longer than any of the tests takes. */
const CARRIED_BYTES = 3_000_000;
const stall = (script: string, name: string) => {
  const path = join(programs, name);
  writeFileSync(path, `#!/bin/sh\n${script}`, { mode: 0o755 });
  return () => rmSync(path);
};
const THEN_STALL = `head -c ${CARRIED_BYTES}; sleep 60; exec /bin/cat`;
const stallPut = () => stall(`[ $# -eq 0 ] || exec /bin/cat "$@"\n${THEN_STALL}\n`, 'cat');
const stallGet = () => stall(`/usr/bin/tail "$@" | { ${THEN_STALL}; }\n`, 'tail');

const at = (path: string) => `${system.api.url}/api/v1/members/far/files/${path}`;
const accepted = z.object({ task_id: z.string() });

/** Puts a file, and comes back with the part of it that is on the machine while nothing more comes. */
async function putHalf(folder: string, content: Uint8Array): Promise<string> {
  const goOn = stallPut();
  const answer = await fetch(at(`${folder}/file.bin`), { method: 'PUT', body: content });
  expect(answer.status).toBe(202);
  await until('a part of it is there', () => {
    const part = readdirSync(join(work, folder)).find((name) => name.endsWith('.part'));
    return part !== undefined && statSync(join(work, folder, part)).size >= CARRIED_BYTES;
  });
  goOn();
  // What was carried is not needed any more: only an attempt that begins anew would miss it.
  const { rowCount } = await system.db.query(
    'delete from blob_parts where part < 2 and blob_id = (select id from blobs where size_bytes = $1)',
    [content.length],
  );
  expect(rowCount).toBe(2);
  return accepted.parse(await answer.json()).task_id;
}

async function expectWhole(taskId: string, folder: string, content: Buffer): Promise<void> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const task = await ended(system, taskId, 60_000);
  expect(task).toMatchObject({ status: 'COMPLETED', result: { files: [{ sha256 }] } });
  expect(readFileSync(join(work, folder, 'file.bin')).equals(content)).toBe(true);
  expect(readdirSync(join(work, folder))).toEqual(['file.bin']);
}

test('a worker that is killed half-way costs nothing that was put', async () => {
  const content = randomBytes(20 * MIB);
  const id = await putHalf('killed', content);
  await system.worker.kill9();
  await system.worker.start();
  await expectWhole(id, 'killed', content);
}, 120_000);

test('a worker that is stopped half-way hands over', async () => {
  const content = randomBytes(19 * MIB);
  const id = await putHalf('stopped', content);
  await system.worker.stop();
  await system.worker.start();
  await expectWhole(id, 'stopped', content);
}, 120_000);

test('a link that is lost half-way is taken up again at once', async () => {
  const content = randomBytes(18 * MIB);
  const id = await putHalf('lost', content);
  proxy.resetAll();
  await expectWhole(id, 'lost', content);
  // By the same attempt of the step: the retries that its task has are not spent.
  const done = (await system.api.events(id)).at(-1);
  expect(done).toMatchObject({ to: 'COMPLETED', detail: { outcomes: [{ call: 'put_file', attempts: 1 }] } });
}, 120_000);

test('a task that is cancelled half-way leaves the file as it was, and nothing beside it', async () => {
  mkdirSync(join(work, 'cancelled'));
  writeFileSync(join(work, 'cancelled', 'file.bin'), 'before');
  const id = await putHalf('cancelled', randomBytes(17 * MIB));
  const from = Date.now();
  expect((await system.api.cancel(id)).status).toBe(200);
  expect((await ended(system, id)).status).toBe('TERMINATED');
  expect(Date.now() - from).toBeLessThan(15_000);
  expect(readFileSync(join(work, 'cancelled', 'file.bin'), 'utf8')).toBe('before');
  expect(readdirSync(join(work, 'cancelled'))).toEqual(['file.bin']);
}, 60_000);

test('what was got before the link was lost is not got again', async () => {
  const content = randomBytes(16 * MIB);
  const path = join(work, 'down.bin');
  writeFileSync(path, content);
  const { atime, mtime } = statSync(path);
  const goOn = stallGet();
  const down = fetch(at('down.bin'));
  await until('some of it is kept', async () => {
    const { rowCount } = await system.db.query(`select 1 from blob_parts where blob_id like 'new-%'`);
    return rowCount === 2;
  });
  goOn();
  // Only an attempt that begins anew would see this.
  writeFileSync(path, Buffer.concat([Buffer.alloc(MIB), content.subarray(MIB)]));
  utimesSync(path, atime, mtime);
  proxy.resetAll();
  const answer = await down;
  expect(answer.status).toBe(200);
  expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
  expect((await system.db.query(`select 1 from blobs where id like 'new-%'`)).rows).toEqual([]);
}, 60_000);
