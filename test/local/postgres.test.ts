// PostgreSQL in the box: made once, kept over restarts and kills, never mistaken for another program.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { WAYS } from '../../local/postgres-user.ts';
import { describeProcess } from '../../local/process-info.mjs';
import { startPostgres, type PostgresHandle } from '../kit/servers.ts';

let dir: string;
let server: PostgresHandle | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-postgres-'));
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function query(url: string, text: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

test('what was written is there after a kill -9 and a restart', async () => {
  server = await startPostgres({ dir });
  await query(server.databaseUrl('fermata'), 'create table kept (n int)');
  await query(server.databaseUrl('fermata'), 'insert into kept values (7)');
  await server.kill9();
  await server.restart();
  expect(await query(server.databaseUrl('fermata'), 'select n from kept')).toEqual([{ n: 7 }]);
});

test('the password is needed, and only its owner can read it', async () => {
  server = await startPostgres({ dir });
  const open = new URL(server.url);
  open.password = 'guessed';
  await expect(query(open.href, 'select 1')).rejects.toThrow(/password authentication failed/);
  expect(statSync(join(dir, 'password')).mode & 0o777).toBe(0o600);
});

test('a server that a killed parent left behind is ended, and its port is free again', async () => {
  const left = await startPostgres({ dir });
  const { port } = new URL(left.url);
  server = await startPostgres({ dir, port: Number(port) });
  expect(describeProcess(left.pid)).toBeUndefined();
  expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a postmaster.pid that names another living program stops nobody and hinders nothing', async () => {
  server = await startPostgres({ dir });
  await server.kill9();
  const file = join(dir, 'data', 'postmaster.pid');
  const [, ...rest] = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, [process.pid, ...rest].join('\n'));
  await server.restart();
  expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('root runs it in a folder that only root may enter, by each of the ways in turn', async () => {
  if (process.getuid?.() !== 0) {
    process.stdout.write('skipped: only root has another user run PostgreSQL\n');
    return;
  }
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  for (const user of [...WAYS, ...WAYS]) {
    server = await startPostgres({ dir, user });
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.stop();
  }
});
