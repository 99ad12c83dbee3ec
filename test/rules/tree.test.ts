// The tree itself: every file says what it is for and stays small, and names are those of the house.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import ts from 'typescript';
import { assetPath } from '../../config/paths.ts';

const ROOT = assetPath();
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage']);
const FORBIDDEN = /^(lib|util|utils|helper|helpers|common|shared|types?|misc)(\.|$)/;
const ROOMS = [
  ...['domain', 'operations', 'config', 'workflows', 'clients', 'store', 'service', 'activities', 'api', 'worker'],
  ...['local', 'test', 'bench', 'docs'],
];

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [`${relative(ROOT, path)}/`, ...walk(path)] : [relative(ROOT, path)];
  });
}

const paths = walk(ROOT);
/** The pages of the documentation are served as they are, one of them as its makers built it. */
const code = paths.filter((path) => /\.(ts|mjs|js)$/.test(path) && !path.startsWith('api/docs/'));
const linesOf = (path: string) => readFileSync(join(ROOT, path), 'utf8').trimEnd().split('\n');

test('the walk sees the house', () => {
  expect(code).toEqual(expect.arrayContaining(['domain/task.ts', 'workflows/task.ts', 'eslint.config.js']));
  expect(code.length).toBeGreaterThan(100);
});

test('every file begins with one sentence that says what it is for', () => {
  const wordless = code.filter((path) => {
    const [first = ''] = linesOf(path).filter((line) => !line.startsWith('#!'));
    return !/^\/\/ \S.{15,}[.!?]$/.test(first);
  });
  expect(wordless).toEqual([]);
});

test('no file is longer than 250 lines, and half of them are shorter than 90', () => {
  expect(code.filter((path) => linesOf(path).length > 250)).toEqual([]);
  const lengths = code.map((path) => linesOf(path).length).sort((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(90);
});

test('names are in kebab case, and none of them means nothing', () => {
  const names = paths.filter((path) => path.endsWith('/') || code.includes(path));
  expect(names.filter((path) => FORBIDDEN.test(basename(path)))).toEqual([]);
  const odd = names.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*((\.[a-z]+)*)$/.test(basename(path)));
  expect(odd.filter((path) => !path.startsWith('store/migrations/'))).toEqual([]);
});

test('every folder at the top is a room with walls', () => {
  const folders = paths.filter((path) => /^[^/]+\/$/.test(path)).map((path) => path.slice(0, -1));
  expect(folders.filter((folder) => !ROOMS.includes(folder))).toEqual([]);
});

test('rooms hold TypeScript alone, but for the preparation that runs before anything is built', () => {
  const plain = code.filter((path) => !path.endsWith('.ts') && path.includes('/'));
  expect(plain.filter((path) => !/^(local|test|bench)\//.test(path))).toEqual([]);
});

test('no function of a workflow reaches 50 lines', () => {
  const long: string[] = [];
  let seen = 0;
  for (const path of code.filter((one) => one.startsWith('workflows/'))) {
    const source = ts.createSourceFile(path, linesOf(path).join('\n'), ts.ScriptTarget.ESNext, true);
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node)) {
        seen += 1;
        const from = source.getLineAndCharacterOfPosition(node.getStart()).line;
        const to = source.getLineAndCharacterOfPosition(node.end).line;
        if (to - from + 1 >= 50) long.push(`${path}:${from + 1}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  expect(seen).toBeGreaterThan(20);
  expect(long).toEqual([]);
});

test('no test is left out, and no rule is switched off', () => {
  const leftOut = /^\s*((test|it|describe)\.(skip|only|todo)|xit|xtest|xdescribe|fit|fdescribe)\b/;
  const silenced = /^\s*\/[/*]\s*(eslint-disable|@ts-(ignore|nocheck|expect-error))/;
  const found = code.flatMap((path) =>
    linesOf(path)
      .filter((line) => leftOut.test(line) || silenced.test(line))
      .map((line) => `${path}: ${line}`),
  );
  // The text of a test file that a test writes, to see that one left out is not counted as passed.
  expect(found).toEqual(["test/local/npm-test.test.ts: test.todo('later')"]);
});
