// The hash chain, checked offline by the command that operators use: every way of tampering is found and named.
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';
import { runToEnd } from '../kit/processes.ts';
import { until } from '../kit/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  for (let index = 0; index < 6; index += 1) {
    await system.api.end(await system.api.submit('describe_instance', { instance_id: 'vm-prod-01' }));
  }
  await until('sealed', async () => (await system.db.query('select 1 from seals')).rowCount === 12);
});
afterAll(() => system?.stop());

const verify = (...args: string[]) =>
  runToEnd(process.execPath, ['dist/service/verify-main.js', ...args], { DATABASE_URL: system.databaseUrl });

/** Changes what no program of ours may change, looks, and puts it back. */
async function tampered(change: string, back: string, ...args: string[]) {
  const client = await system.db.connect();
  try {
    await client.query("set session_replication_role = 'replica'");
    await client.query(change);
    const answer = await verify(...args);
    await client.query(back);
    return answer;
  } finally {
    client.release(true);
  }
}

test('an untouched chain verifies, and prints its head', async () => {
  const { code, output } = await verify();
  expect(output).toMatch(/^default: 12 events right, head 12:[0-9a-f]{64}, 0 not sealed yet$/m);
  expect(code).toBe(0);
});

const KEEP = 'create temp table kept as select * from';
test.each([
  [
    'a flipped byte',
    `update events set detail = jsonb_set(detail, '{says}', '"Dome."') where id = (select event_id from seals where position = 4)`,
    `update events set detail = jsonb_set(detail, '{says}', '"Done."') where id = (select event_id from seals where position = 4)`,
    4,
  ],
  [
    'a deleted event',
    `${KEEP} events where id = (select event_id from seals where position = 7); delete from events where id in (select id from kept)`,
    'insert into events select * from kept; drop table kept',
    7,
  ],
  [
    'a deleted seal',
    `${KEEP} seals where position = 5; delete from seals where position = 5`,
    'insert into seals select * from kept; drop table kept',
    5,
  ],
  [
    'a reordered pair',
    'update seals set position = -position where position in (2, 3); update seals set position = 5 + position where position < 0',
    'update seals set position = -position where position in (2, 3); update seals set position = 5 + position where position < 0',
    2,
  ],
])('%s is found', async (_, change, back, position) => {
  const { code, output } = await tampered(change, back);
  expect(output).toContain(`BAD at ${position}:`);
  expect(code).toBe(1);
  expect((await verify()).code).toBe(0);
});

test('a cut-off end is found by the tasks it belongs to, and by a head that was kept', async () => {
  const head = /head (\d+:[0-9a-f]+)/.exec((await verify()).output)?.[1] ?? '';
  expect((await verify('--head', head)).code).toBe(0);
  const cut = `${KEEP} events where id = (select max(id) from events); create temp table sealed as select * from seals where position = 12;
    delete from seals where position = 12; delete from events where id in (select id from kept)`;
  const back = 'insert into events select * from kept; insert into seals select * from sealed; drop table kept, sealed';
  const { code, output } = await tampered(cut, back, '--head', head);
  expect(output).toContain('BAD at 12: missing');
  expect(output).toMatch(/BAD: the last events of task [0-9a-f-]+ are missing/);
  expect(code).toBe(1);
});

test('an emptied log is found by its tasks, and by a head that was kept', async () => {
  const head = /head (\d+:[0-9a-f]+)/.exec((await verify()).output)?.[1] ?? '';
  const cut = `${KEEP} events; create temp table sealed as select * from seals; truncate events, seals`;
  const back = 'insert into events select * from kept; insert into seals select * from sealed; drop table kept, sealed';
  const { code, output } = await tampered(cut, back, '--head', head);
  expect(output).toContain('BAD at 1: missing');
  expect(output.match(/BAD: the last events of task/g)).toHaveLength(6);
  expect(code).toBe(1);
});

test('events cannot be changed or removed by an ordinary statement', async () => {
  await expect(system.db.query("update events set by = 'nobody'")).rejects.toThrow('append-only');
  await expect(system.db.query('delete from events')).rejects.toThrow('append-only');
  await expect(system.db.query('truncate events')).rejects.toThrow('append-only');
});
