// The links of the packaged PostgreSQL are made where npm was not allowed to run its install script.
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLinks } from '../../local/postgres-binaries.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fermata-links-'));
  mkdirSync(join(folder, 'native', 'lib'), { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('each link is made once, beside its file', () => {
  writeFileSync(join(folder, 'native', 'lib', 'libicu.so.60.2'), 'library');
  const list = [{ source: 'native/lib/libicu.so.60.2', target: 'native/lib/libicu.so.60' }];
  writeFileSync(join(folder, 'native', 'pg-symlinks.json'), JSON.stringify(list));
  ensureLinks(folder);
  ensureLinks(folder);
  expect(readlinkSync(join(folder, 'native', 'lib', 'libicu.so.60'))).toBe('libicu.so.60.2');
  expect(readFileSync(join(folder, 'native', 'lib', 'libicu.so.60'), 'utf8')).toBe('library');
});

test('a package without links needs none', () => {
  expect(() => ensureLinks(folder)).not.toThrow();
});
