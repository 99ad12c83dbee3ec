// Which files may be carried, how a plan cuts them into steps, and how much time that gets.
import type { PlanDraft } from '../../domain/plan.ts';
import type { JsonObject } from '../../domain/task.ts';
import { LARGEST_FILE_BYTES } from '../../operations/files.ts';
import { operationOf } from '../../operations/index.ts';
import { failureOf, instance } from './instances.ts';
import { inCloud, member } from './members.ts';

const sent = (files: JsonObject[], more: JsonObject = {}): JsonObject => ({ member: 'gpu-1', files, ...more });
const received = (paths: string[], more: JsonObject = {}): JsonObject => ({ member: 'gpu-1', paths, ...more });

function prepared(operation: string, params: JsonObject) {
  const all = operationOf(operation).prepare(params);
  if (all.effect === 'read') throw new Error(`${operation} does not plan`);
  return all;
}

function planOf(operation: string, params: JsonObject): PlanDraft {
  return prepared(operation, params).plan([], { region: 'us-east-1', agents: {}, member });
}

test.each([
  '/etc/passwd',
  '../x',
  'a/../b',
  'a/..',
  '.',
  './a',
  'a//b',
  'a/',
  '',
  'a\nb',
  'a\rb',
  'a\0b',
  'x'.repeat(513),
  '.fermata-x.part',
  'a/.fermata-x',
])('%j is no path that is carried, in either direction', (path) => {
  const failures = [
    failureOf(() => prepared('send_files', sent([{ path, content: '' }]))),
    failureOf(() => prepared('receive_files', received([path]))),
  ];
  for (const { type, message } of failures) {
    expect(type).toBe('InvalidParams');
    expect(message).toMatch(/path/);
  }
});

test.each(['a', 'a/b/c.txt', '...', '..a', 'a..', ' ', '-rf', '.hidden', 'é漢🎵', '$(id)', 'x'.repeat(512)])(
  '%j is one',
  (path) => {
    expect(planOf('send_files', sent([{ path, content: '' }])).steps[0]?.args.path).toBe(path);
    expect(planOf('receive_files', received([path])).steps[0]?.args.path).toBe(path);
  },
);

const sha256 = 'a'.repeat(64);

test.each([
  ['nothing', []],
  ['more than a hundred', Array.from({ length: 101 }, (_, index) => ({ path: `f${index}`, content: '' }))],
  ['neither bytes nor a blob', [{ path: 'a' }]],
  ['both', [{ path: 'a', content: '', blob: 'b' }]],
  [
    'the same path twice',
    [
      { path: 'a', content: '' },
      { path: 'a', content: '' },
    ],
  ],
  [
    'a file as a folder',
    [
      { path: 'a/b/c', content: '' },
      { path: 'a/b', content: '' },
    ],
  ],
  ['a blob that is no id', [{ path: 'a', blob: '../x' }]],
  ['a sum in capitals', [{ path: 'a', blob: 'b', sha256: sha256.toUpperCase() }]],
  ['permissions with more than permissions', [{ path: 'a', blob: 'b', mode: '4755' }]],
  ['permissions that are none', [{ path: 'a', blob: 'b', mode: '0888' }]],
  ['another key', [{ path: 'a', blob: 'b', owner: 'root' }]],
  [
    'contents of more than 48 kB in all',
    [
      { path: 'a', content: 'é'.repeat(20_000) },
      { path: 'b', content: 'x'.repeat(9_153) },
    ],
  ],
])('%s is not sent', (_, files) => {
  const failure = failureOf(() => prepared('send_files', sent(files)));
  expect(failure.type).toBe('InvalidParams');
  expect(failure.issues?.every(({ loc }) => loc[2] === 'files')).toBe(true);
});

test('the same path is not got twice', () => {
  expect(failureOf(() => prepared('receive_files', received(['a', 'b', 'a']))).type).toBe('InvalidParams');
});

test('names that only begin alike are files of their own', () => {
  const files = ['a', 'ab', 'b/a', 'c/a', 'a.b'].map((path) => ({ path, content: 'é'.repeat(4_915) }));
  expect(planOf('send_files', sent(files)).steps).toHaveLength(5);
});

test('a file is a step of its own, four of them side by side, none of them undone', () => {
  const paths = Array.from({ length: 10 }, (_, index) => `f${index}`);
  const { steps, says, needs, facts } = planOf('receive_files', received(paths));
  expect(steps.map(({ id, batch }) => [id, batch])).toEqual(paths.map((_, index) => [`get-${index}`, index >> 2]));
  expect(new Set(steps.map(({ call, target }) => `${call} ${target}`))).toEqual(new Set(['get_file member/m-1']));
  expect(steps[9]?.args).toEqual({ member: 'm-1', root: '/srv', path: 'f9' });
  expect(says).toBe('get from /srv of gpu-1: f0, f1, f2, f3, f4 and 5 more.');
  expect(needs).toEqual({ memberId: 'm-1', target: 'member/m-1', start: 'if_stopped' });
  expect(facts).toEqual({ member: 'gpu-1' });
});

test('a plan says which bytes are put, and with which permissions', () => {
  const files = [
    { path: 'a', blob: 'b-1', sha256, mode: '755' },
    { path: 'b', content: 'hello' },
  ];
  const { steps } = planOf('send_files', sent(files, { start: 'never' }));
  const where = { member: 'm-1', root: '/srv' };
  expect(steps.map(({ args }) => args)).toEqual([
    { ...where, path: 'a', mode: '755', blob: 'b-1', content: null, sha256 },
    { ...where, path: 'b', mode: '0644', blob: null, content: 'hello', sha256: null },
  ]);
});

test('a stopped machine is started first, unless that is ruled out', () => {
  const stopped = [instance({ state: 'stopped' })];
  const context = { region: 'us-east-1', agents: {}, member: inCloud };
  const started = prepared('receive_files', received(['a'])).plan(stopped, context);
  expect(started.says).toBe('Start the machine, then get from /srv of gpu-1: a.');
  const never = prepared('receive_files', received(['a'], { start: 'never' }));
  expect(failureOf(() => never.plan(stopped, context)).type).toBe('MemberStopped');
});

test('time is given for what is carried: the largest file for each that could be it', () => {
  const deadlineMs = (operation: string, params: JsonObject) => prepared(operation, params).deadlineMs ?? 0;
  const ready = deadlineMs('send_files', sent([{ path: 'a', content: '' }])) - 10_000;
  expect(ready).toBe(15 * 60_000);
  const largest = ready + (10 + LARGEST_FILE_BYTES / 262_144) * 1000;
  expect(deadlineMs('send_files', sent([{ path: 'a', blob: 'b' }]))).toBe(largest);
  expect(deadlineMs('receive_files', received(['a']))).toBe(largest);
  expect(deadlineMs('receive_files', received(['a', 'b'])) - ready).toBe(2 * (largest - ready));
});

test('the result lists the files in the order in which they were asked for', () => {
  const seen = (path: string) => ({ path, size_bytes: 1, sha256 });
  const outcome = (stepId: string, path: string) => ({
    stepId,
    call: 'put_file' as const,
    target: 't',
    acted: true,
    reached: true,
    seen: seen(path),
    attempts: 1,
  });
  const files = ['a', 'b'].map((path) => ({ path, content: '' }));
  const outcomes = [outcome('put-1', 'b'), outcome('put-0', 'a')];
  expect(prepared('send_files', sent(files)).result({ taskId: 't', facts: { member: 'gpu-1' }, outcomes })).toEqual({
    status: 'SENT',
    member: 'gpu-1',
    files: [seen('a'), seen('b')],
  });
});
