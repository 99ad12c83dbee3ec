// A lock that outlives no holder: a kill -9 frees it, and a process id that was given out again does not hold it.
//
// Claims are numbered files. 1. The newest one holds, while its process (or the child it named) lives. 2. Number n+1 is
// made by one process only, since a hard link fails where a file exists. 3. The newest is never removed, only marked as
// free, so numbers grow and a slow claimant can tell that it came too late.
import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeProcess } from './process-info.mjs';

const LOOK_MS = 250;

/** Answers `{ lock }`, or `{ holder }` with what the holder said about itself. */
export function tryLock(folder, about = {}) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let mine = {
    pid: process.pid,
    started: describeProcess(process.pid)?.started,
    since: new Date().toISOString(),
    ...about,
  };
  for (;;) {
    const newest = newestClaim(folder);
    const holder = newest && livingHolder(folder, newest);
    if (holder) return { holder };
    const number = (newest ?? 0) + 1;
    if (!claim(folder, number, mine)) continue;
    if (newestClaim(folder) !== number) {
      rmSync(file(folder, number), { force: true });
      continue;
    }
    sweep(folder, number);
    const update = (more) => {
      mine = { ...mine, ...more };
      write(folder, number, mine);
    };
    return { lock: { update, release: () => update({ free: true }) } };
  }
}

/** Runs `work(lock)` once no other process holds the lock; `waiting(holder)` is called once when one does. */
export async function withLock(folder, about, waiting, work) {
  for (let first = true; ; first = false) {
    const { lock, holder } = tryLock(folder, about);
    if (lock) {
      try {
        return await work(lock);
      } finally {
        lock.release();
      }
    }
    if (first) waiting(holder);
    await sleep(LOOK_MS);
  }
}

export function lockHolder(folder) {
  const newest = newestClaim(folder);
  return newest && livingHolder(folder, newest);
}

const file = (folder, number) => join(folder, `${number}.json`);

function newestClaim(folder) {
  try {
    const numbers = readdirSync(folder).filter((name) => /^\d+\.json$/.test(name));
    return numbers.length === 0 ? undefined : Math.max(...numbers.map((name) => Number.parseInt(name, 10)));
  } catch {
    return undefined;
  }
}

function livingHolder(folder, number) {
  try {
    const holder = JSON.parse(readFileSync(file(folder, number), 'utf8'));
    return !holder.free && [holder, holder.child].some(lives) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Where processes cannot be looked at, nothing is ever held up. */
const lives = (process) => process?.started !== undefined && describeProcess(process.pid)?.started === process.started;

function claim(folder, number, content) {
  const aside = join(folder, `claim-${process.pid}`);
  writeFileSync(aside, JSON.stringify(content), { mode: 0o600 });
  try {
    linkSync(aside, file(folder, number));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** What is said about a claim is news and no condition: a full disk or a removed folder must not keep us from stopping. */
function write(folder, number, content) {
  const aside = join(folder, `update-${process.pid}`);
  try {
    writeFileSync(aside, JSON.stringify(content), { mode: 0o600 });
    renameSync(aside, file(folder, number));
  } catch {
    // The claim ends with its process in any case.
  }
}

/** The one before stays: a listing taken while we claimed must show one of the two. */
function sweep(folder, number) {
  for (const name of readdirSync(folder)) {
    if (/^\d+\.json$/.test(name) && Number.parseInt(name, 10) < number - 1) rmSync(join(folder, name), { force: true });
  }
}
