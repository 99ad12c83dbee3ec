// `npm test` as a process in a small clone: what it checks, its last line, its exit code, and that its servers end.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeProcess } from '../../local/process-info.mjs';
import { makeClone, type Clone } from './clone.ts';

const KIT = ['servers.ts', 'global-setup.mjs', 'global-teardown.mjs', 'leftovers.mjs', 'counts-reporter.js'];
const CHECKED = ['jest.config.js', 'eslint.config.js', 'knip.json', '.prettierrc.json', '.prettierignore'];

const GOOD = `// Has the servers of the run.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';

test.each(['FERMATA_TEST_TEMPORAL_ADDRESS', 'FERMATA_TEST_DATABASE_URL'])('%s answers', async (name) => {
  const value = process.env[name] ?? '';
  const { hostname, port } = new URL(value.includes('://') ? value : 'tcp://' + value);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.destroy();
  writeFileSync(name + '.seen', value);
});
`;
const BAD = `// Fails, and is not formatted.
test('no',()=>{expect(1).toBe(2)})
test.todo('later')
`;

let clone: Clone;

beforeAll(() => {
  clone = makeClone([...CHECKED, ...KIT.map((name) => `test/kit/${name}`)]);
  mkdirSync(join(clone.root, 'test', 'one'), { recursive: true });
  writeFileSync(join(clone.root, 'test', 'one', 'good.test.ts'), GOOD);
  writeFileSync(join(clone.root, 'test', 'one', 'bad.test.ts'), BAD);
  writeFileSync(join(clone.root, 'test', 'one', 'broken.test.ts'), '// Cannot be read.\nimport "./none.ts";\n');
});

afterAll(() => clone.remove());

const lastLine = (output: string) => output.trimEnd().split('\n').at(-1) ?? '';

test('everything is checked, the last line counts, and a failure is an exit code', async () => {
  const run = clone.run('local/test.mjs', []);
  expect(await run.ended).toBe(1);
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(lastLine(run.output())) ?? [];
  expect(passed).toBe('2');
  // A test, a file that cannot be run, the format, the types; more where the small clone breaks a rule.
  expect(Number(failed)).toBeGreaterThanOrEqual(4);
  for (const name of ['format', 'types']) expect(run.output()).toContain(`✗ ${name}`);
  for (const name of ['rules', 'unused code']) expect(run.output()).toMatch(new RegExp(`[✓✗] ${name}`));
});

test('what is named is run alone, and its servers are gone afterwards', async () => {
  const run = clone.run('local/test.mjs', ['test/one/good']);
  expect(await run.ended).toBe(0);
  expect(lastLine(run.output())).toBe('2 passed, 0 failed');
  expect(run.output()).not.toContain('format');
  const seen = readFileSync(join(clone.root, 'FERMATA_TEST_DATABASE_URL.seen'), 'utf8');
  expect(seen).toMatch(/^postgres:\/\/.*\/postgres$/);
  expect(existsSync(join(clone.root, 'FERMATA_TEST_TEMPORAL_ADDRESS.seen'))).toBe(true);
  expect(describeProcess(run.child.pid ?? 0)).toBeUndefined();
});
