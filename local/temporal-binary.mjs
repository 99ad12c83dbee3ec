// Temporal CLIs that are there already: on PATH, in the cache; and how a new one gets into the cache.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cacheFolder, root } from './settings.mjs';

const OLDEST_SERVER = '1.29';
/** Built where Go is too old for the pinned one; the older the CLI, the older the Go it asks for. */
export const FALLBACK_VERSION = '1.5.1';
export const binaryName = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/** go.mod alone names the version: what the Go build is pinned to, the download is, too. */
export function pinnedVersion() {
  const goMod = readFileSync(join(root, 'local/temporal/go.mod'), 'utf8');
  return /github\.com\/temporalio\/cli v(\S+)/.exec(goMod)[1];
}

/** The server inside, as in `1.31.2`; undefined where the file is no Temporal CLI that runs here. */
export function serverVersion(path) {
  try {
    const out = execFileSync(path, ['--version'], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /Server (\d+\.\d+\.\d+)/.exec(out)?.[1];
  } catch {
    return undefined;
  }
}

export function isNewEnough(version, oldest = OLDEST_SERVER) {
  return version !== undefined && version.localeCompare(oldest, 'en', { numeric: true }) >= 0;
}

export function whyTooOld(path, version) {
  const what = version ? `has server ${version}` : 'is no Temporal CLI that runs here';
  return `${path} ${what}, ${OLDEST_SERVER} or later is needed`;
}

export function findOnPath(name, path = process.env.PATH ?? '') {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const cached = (version) =>
  join(cacheFolder(), 'temporal', `${version}-${process.platform}-${process.arch}`, binaryName);

/** A file that is not what was put there, byte for byte, is as good as none. */
export function findCached() {
  return [pinnedVersion(), FALLBACK_VERSION].map(cached).find((path) => {
    try {
      return readFileSync(`${path}.sha256`, 'utf8') === sha256(path);
    } catch {
      return false;
    }
  });
}

/** Moved in whole, so that a kill half-way leaves no half file. */
export function keepInCache(made, version) {
  const path = cached(version);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  chmodSync(made, 0o755);
  rmSync(`${path}.sha256`, { force: true });
  const sum = sha256(made);
  renameSync(made, path);
  writeFileSync(`${path}.sha256`, sum);
  return path;
}

export function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
