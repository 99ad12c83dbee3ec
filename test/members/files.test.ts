// Files up to a machine of the sandbox and down again: the same bytes, and never outside the work folder.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openPostgres } from '../../clients/postgres.ts';
import { dropOldBlobs, findBlob, readBlob } from '../../store/blobs.ts';
import { bodyOn, ended, register } from '../kit/members.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
let work: string;
beforeAll(async () => {
  system = await startSystem();
  work = join(system.dir, 'work');
  mkdirSync(work);
  await register(system, 'gpu-train-01', { work_folder: work });
}, 90_000);
afterAll(() => system.stop(), 30_000);

const MIB = 1_048_576;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const accepted = z.object({ task_id: z.string() });
const filesIn = z.object({
  files: z.array(
    z.object({ path: z.string(), size_bytes: z.number(), sha256: z.string(), blob: z.string().optional() }),
  ),
});

const at = (path: string, member = 'gpu-train-01') => `${system.api.url}/api/v1/members/${member}/files/${path}`;
const put = (path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  fetch(at(path), { method: 'PUT', body, headers });

async function taskOf(answer: Response): Promise<string> {
  const body: unknown = await answer.json();
  expect([answer.status, body]).toEqual([202, expect.anything()]);
  return accepted.parse(body).task_id;
}

async function refusalOf(answer: Response): Promise<readonly [number, string]> {
  const { code } = z.looseObject({ code: z.string() }).parse(await answer.json());
  return [answer.status, code];
}

async function failureOf(operation: string, params: Record<string, unknown>): Promise<string | null> {
  const task = await ended(system, await system.api.submit(operation, { member: 'gpu-train-01', ...params }));
  expect(task.status).toBe('FAILED');
  return task.error;
}

test('10 MiB go up and come down as they were; another content replaces them', async () => {
  const content = randomBytes(10 * MIB + 17);
  const first = await ended(system, await taskOf(await put('data/model.bin?mode=0600', content)));
  const file = { path: 'data/model.bin', size_bytes: content.length, sha256: sha256(content) };
  expect(first).toMatchObject({
    status: 'COMPLETED',
    result: { status: 'SENT', member: 'gpu-train-01', files: [file] },
  });
  const there = join(work, 'data/model.bin');
  expect(readFileSync(there).equals(content)).toBe(true);
  expect(statSync(there).mode & 0o777).toBe(0o600);
  const down = await fetch(at('data%2Fmodel.bin'));
  expect([down.status, Object.fromEntries(down.headers)]).toEqual([
    200,
    expect.objectContaining({
      'content-type': 'application/octet-stream',
      'content-length': String(content.length),
      'content-disposition': expect.stringMatching(/^attachment; filename="?model\.bin"?$/),
      'repr-digest': `sha-256=:${createHash('sha256').update(content).digest('base64')}:`,
    }),
  ]);
  expect(Buffer.from(await down.arrayBuffer()).equals(content)).toBe(true);
  const again = await put('data/model.bin', 'short', { prefer: 'wait=30' });
  expect(again.headers.get('preference-applied')).toBe('wait=30');
  // It waited: nothing else has to.
  expect((await system.api.get(await taskOf(again))).status).toBe('COMPLETED');
  expect(await (await fetch(at('data/model.bin'))).text()).toBe('short');
  expect(readdirSync(join(work, 'data'))).toEqual(['model.bin']);
}, 120_000);

test('the same upload is the same request, and an empty file is one', async () => {
  const key = { 'idempotency-key': 'once' };
  const first = await taskOf(await put('empty', '', key));
  const replay = await put('empty', '', key);
  expect(replay.headers.get('idempotency-replayed')).toBe('true');
  expect(await taskOf(replay)).toBe(first);
  expect(await refusalOf(await put('empty', 'x', key))).toEqual([422, 'idempotency_key_reused']);
  expect((await ended(system, first)).status).toBe('COMPLETED');
  const down = await fetch(at('empty'));
  expect([down.headers.get('content-length'), await down.text()]).toEqual(['0', '']);
}, 60_000);

test('many files go in one task and come in one, each to be fetched afterwards', async () => {
  const names = Array.from({ length: 6 }, (_, index) => `many/${index}/naïve ${index}.txt`);
  const files = names.map((path) => ({ path, content: `in ${path}`, sha256: sha256(Buffer.from(`in ${path}`)) }));
  const sent = await ended(system, await system.api.submit('send_files', { member: 'gpu-train-01', files }));
  expect(filesIn.parse(sent.result).files.map(({ path }) => path)).toEqual(names);
  for (const { path, content } of files) expect(readFileSync(join(work, path), 'utf8')).toBe(content);
  const id = await system.api.submit('receive_files', { member: 'gpu-train-01', paths: names });
  const got = filesIn.parse((await ended(system, id)).result).files;
  expect(got.map((file) => [file.path, file.sha256])).toEqual(files.map((file) => [file.path, file.sha256]));
  rmSync(join(work, 'many'), { recursive: true });
  const [, , third = ''] = names;
  const down = await fetch(`${at(encodeURI(third))}?task=${id}`);
  expect(down.headers.get('content-disposition')).toMatch(/filename\*=UTF-8''na%C3%AFve%202\.txt/);
  expect(await down.text()).toBe(`in ${third}`);
  expect(await refusalOf(await fetch(`${at('other')}?task=${id}`))).toEqual([404, 'file_not_found']);
  const foreign = sent.task_id;
  expect(await refusalOf(await fetch(`${at(encodeURI(third))}?task=${String(foreign)}`))).toEqual([
    404,
    'task_not_found',
  ]);
}, 90_000);

test('nothing outside the work folder is reached, whatever leads there', async () => {
  const outside = join(system.dir, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  symlinkSync(outside, join(work, 'out'));
  symlinkSync(join(outside, 'secret'), join(work, 'secret'));
  for (const path of [
    '..%2Foutside%2Fsecret',
    'a%2F..%2F..%2Fsecret',
    '%2Fetc%2Fpasswd',
    'a//b',
    'a/',
    'a%00b',
    'a%0Ab',
  ]) {
    const [up, down] = [await put(path, 'x'), await fetch(at(path))];
    expect([path, await refusalOf(up), await refusalOf(down)]).toEqual([path, REFUSED, REFUSED]);
  }
  for (const path of ['out/secret', 'out/new', 'secret']) {
    const files = [{ path, content: 'written' }];
    expect(await failureOf('send_files', { files })).toMatch(
      `The machine does not carry '${path}': ${path} leads out of`,
    );
    expect([path, await refusalOf(await fetch(at(path)))]).toEqual([path, [422, 'file_refused']]);
  }
  expect(readdirSync(outside)).toEqual(['secret']);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
}, 120_000);
const REFUSED = [422, 'invalid_request'];

test('what is not there, too large or of somebody else is refused with what it is', async () => {
  expect(await refusalOf(await fetch(at('nowhere')))).toEqual([404, 'file_not_found']);
  expect(await refusalOf(await fetch(at('x', 'nobody')))).toEqual([404, 'member_not_found']);
  writeFileSync(join(work, 'large'), '');
  truncateSync(join(work, 'large'), 64 * MIB + 1);
  expect(await refusalOf(await fetch(at('large')))).toEqual([409, 'file_too_large']);
  await system.db.query(`insert into blobs values ('theirs', 'another', 0, '${sha256(Buffer.from(''))}', now())`);
  const unavailable = /^The bytes of 'theirs' cannot be used: there is no such upload/;
  expect(await failureOf('send_files', { files: [{ path: 'x', blob: 'theirs' }] })).toMatch(unavailable);
  const files = [{ path: 'x', content: 'x', sha256: sha256(Buffer.from('y')) }];
  expect(await failureOf('send_files', { files })).toMatch(
    /its sha256 is [0-9a-f]{64}, which is not the one asked for/,
  );
  const digest = `sha-256=:${createHash('sha256').update('y').digest('base64')}:`;
  expect(await refusalOf(await put('x', 'x', { 'repr-digest': digest }))).toEqual(REFUSED);
  expect(existsSync(join(work, 'x'))).toBe(false);
}, 90_000);

test('65 MiB are too much, whether they are announced or not, and leave nothing', async () => {
  const before = await system.db.query('select id from blobs');
  const tooLarge = [413, 'body_too_large'];
  expect(await refusalOf(await put('big', Buffer.alloc(65 * MIB)))).toEqual(tooLarge);
  let chunks = 0;
  const body = new ReadableStream({
    pull: (controller) => (chunks++ < 65 ? controller.enqueue(Buffer.alloc(MIB)) : controller.close()),
  });
  expect(await refusalOf(await fetch(at('big'), { method: 'PUT', body, duplex: 'half' }))).toEqual(tooLarge);
  expect((await system.db.query('select id from blobs')).rows).toEqual(before.rows);
}, 60_000);

test('reading never starts a machine', async () => {
  const id = await system.cloud.idOf('vm-dev-01');
  const registration = bodyOn(system, 'sleeper', id, { work_folder: work });
  expect((await system.api.call('POST', '/api/v1/members', registration)).status).toBe(201);
  expect(await refusalOf(await fetch(at('file', 'sleeper')))).toEqual([409, 'member_stopped']);
  const kept = await fetch(`${at('file', 'sleeper')}?start=never`, { method: 'PUT', body: 'x' });
  expect((await ended(system, await taskOf(kept))).error).toMatch('start=never was asked for');
  expect(system.cloud.effects('StartInstances')).toEqual([]);
}, 60_000);

test('what was carried is kept for a day', async () => {
  const postgres = openPostgres(system.databaseUrl, 1);
  try {
    await taskOf(await put('kept', 'kept'));
    await taskOf(await put('old', 'old'));
    const idOf = async (bytes: string) => {
      const found = await system.db.query('select id from blobs where sha256 = $1', [sha256(Buffer.from(bytes))]);
      return z.tuple([z.object({ id: z.string() })]).parse(found.rows)[0].id;
    };
    const [kept, old] = [await idOf('kept'), await idOf('old')];
    await system.db.query(`update blobs set created_at = now() - interval '25 hours' where id = $1`, [old]);
    expect(await dropOldBlobs(postgres.db, 0)).toBe(1);
    expect(await dropOldBlobs(postgres.db, 0)).toBe(0);
    expect(await findBlob(postgres.db, old)).toBeUndefined();
    expect((await system.db.query('select 1 from blob_parts where blob_id = $1', [old])).rows).toEqual([]);
    await expect(readBlob(postgres.db, { id: old, sizeBytes: 3 }).next()).rejects.toThrow('a part of it is gone');
    const blob = await findBlob(postgres.db, kept);
    expect(blob).toMatchObject({ sizeBytes: 4 });
    const bytes = readBlob(postgres.db, blob ?? { id: '', sizeBytes: 0 }, 1);
    expect(Buffer.from((await bytes.next()).value ?? []).toString()).toBe('ept');
  } finally {
    await postgres.close();
  }
}, 60_000);
