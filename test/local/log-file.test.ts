// Logs are bounded while the program goes on writing, and are quoted by their end.
import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capLog, tailOf } from '../../local/log-file.ts';

let log: string;

beforeEach(() => {
  log = join(mkdtempSync(join(tmpdir(), 'fermata-log-')), 'part.log');
});

afterEach(() => rmSync(join(log, '..'), { recursive: true, force: true }));

test('a log that is too long becomes the one before, and its writer goes on in the same file', () => {
  const writer = openSync(log, 'a');
  writeSync(writer, 'x'.repeat(100));
  capLog(log, 100);
  expect(statSync(log).size).toBe(100);
  writeSync(writer, 'y');
  capLog(log, 100);
  writeSync(writer, 'z');
  closeSync(writer);
  expect(readFileSync(`${log}.1`, 'utf8')).toBe(`${'x'.repeat(100)}y`);
  expect(readFileSync(log, 'utf8')).toBe('z');
});

test('no log is no trouble, and of a long one the last lines are quoted', () => {
  capLog(log);
  expect(tailOf(log)).toBe('    (nothing)');
  appendFileSync(log, Array.from({ length: 50 }, (_, n) => `line ${n}\n`).join(''));
  expect(tailOf(log).split('\n')).toEqual(Array.from({ length: 8 }, (_, n) => `    line ${n + 42}`));
});
