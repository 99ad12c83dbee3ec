// The list of tasks: filters, pages that lose and double nothing while tasks are added, and queries that make no sense.
import { z } from 'zod';
import { startSystem } from '../kit/system.ts';
import type { System } from '../kit/system.ts';
import { issuesIn } from './shapes.ts';

const COUNT = 23;
let system: System;
let ids: readonly string[];
beforeAll(async () => {
  system = await startSystem({ config: { confirmation: { timeout_seconds: 300 } } });
  ids = [];
  for (let index = 0; index < COUNT; index += 1) {
    ids = [...ids, await system.api.submit(index % 5 === 0 ? 'describe_instance' : 'list_instances', paramsOf(index))];
  }
  for (const id of ids) await system.api.end(id);
});
afterAll(() => system?.stop());

function paramsOf(index: number): Record<string, unknown> {
  return index % 5 === 0 ? { instance_id: index === 0 ? 'vm-nope' : 'vm-prod-01' } : {};
}

async function page(path: string): Promise<{ readonly ids: string[]; readonly next: string | undefined }> {
  const { status, body, headers } = await system.api.call('GET', path);
  expect(status).toBe(200);
  const link = headers.get('link');
  const next = /^<([^>]+)>; rel="next"$/.exec(link ?? '')?.[1];
  expect(link === null).toBe(next === undefined);
  return {
    ids: z
      .array(z.looseObject({ task_id: z.string() }))
      .parse(body)
      .map(({ task_id }) => task_id),
    next,
  };
}

/** All pages, newest first, each in its own order; `between` runs before each next page. */
async function walk(path: string, between: () => Promise<unknown> = async () => undefined): Promise<string[][]> {
  const pages: string[][] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const got = await page(next);
    pages.unshift(got.ids);
    next = got.next;
    await between();
  }
  return pages;
}

test('the list shows every task at once, in the order in which they came', async () => {
  const { ids: listed, next } = await page('/api/v1/tasks');
  expect(listed).toEqual(ids);
  expect(next).toBeUndefined();
  const id = await system.api.submit('list_instances', {});
  expect((await page('/api/v1/tasks')).ids.at(-1)).toBe(id);
  ids = [...ids, id];
  await system.api.end(id);
});

test.each([1, 2, 7, 23, 24, 25, 1_000])('pages of %i hold every task once, in order', async (limit) => {
  const pages = await walk(`/api/v1/tasks?limit=${limit}`);
  expect(pages.flat()).toEqual(ids);
  expect(pages.slice(1).every(({ length }) => length === limit)).toBe(true);
});

test('a walk loses and doubles nothing while tasks are added', async () => {
  const added: string[] = [];
  const pages = await walk('/api/v1/tasks?limit=5', async () => {
    added.push(...(await Promise.all([1, 2, 3].map(() => system.api.submit('list_instances', {})))));
  });
  expect(pages.flat()).toEqual(ids);
  expect(added.length).toBeGreaterThanOrEqual(15);
  for (const id of added) await system.api.end(id);
  const after = (await page('/api/v1/tasks')).ids;
  expect(after.slice(0, ids.length)).toEqual(ids);
  expect(after.slice(ids.length).sort()).toEqual(added.toSorted());
  ids = after;
});

test('filters by status and operation hold on every page', async () => {
  const described = (await walk('/api/v1/tasks?operation=describe_instance&limit=2')).flat();
  expect(described).toEqual(ids.slice(0, COUNT).filter((_, index) => index % 5 === 0));
  expect((await walk('/api/v1/tasks?status=FAILED')).flat()).toEqual([ids[0]]);
  const completed = await walk('/api/v1/tasks?status=COMPLETED&operation=describe_instance&limit=1');
  expect(completed.flat()).toEqual(described.slice(1));
  expect(completed).toHaveLength(4);
  expect((await page('/api/v1/tasks?status=RUNNING')).ids).toEqual([]);
  expect((await page('/api/v1/tasks?operation=no%20such%20%C3%BC')).ids).toEqual([]);
});

test('what the contract does not know in a query is ignored', async () => {
  const all = await page('/api/v1/tasks?offset=3&q=%00&__proto__=1&constructor=2');
  expect(all.ids).toEqual(ids);
});

test.each([
  'limit=0',
  'limit=-1',
  'limit=1.5',
  'limit=1001',
  'limit=abc',
  'limit=',
  'limit=1&limit=2',
  'limit=%20',
  'status=completed',
  'status=',
  'status=RUNNING&status=FAILED',
  'cursor=',
  'cursor=!',
  'cursor=abc',
  'cursor=-',
  `cursor=${'A'.repeat(41)}`,
  'cursor=MWUz',
  'operation=%00',
  'operation=a%00b',
  'operation=a&operation=b',
  `operation=${'x'.repeat(257)}`,
])('the query %s is refused', async (query) => {
  const [issue] = issuesIn(await system.api.call('GET', `/api/v1/tasks?${query}`));
  expect(issue).toMatchObject({
    loc: ['query', query.split('=')[0]],
    type: expect.any(String),
    msg: expect.any(String),
  });
});

test('a page of large results ends early, and nothing is left out over the pages', async () => {
  // A megabyte each that does not compress, so 20 of them are more than a page carries.
  await system.db.query(
    `update tasks set result = json_build_object('blob',
       (select string_agg(md5(random()::text || tasks.id || n), '') from generate_series(1, 32768) as n))
     where position in (select position from tasks order by position desc limit 20)`,
  );
  const pages = await walk('/api/v1/tasks');
  expect(pages.length).toBeGreaterThan(2);
  expect(pages.flat()).toEqual(ids);
  await system.db.query('update tasks set result = null');
}, 60_000);
