// Provides the Temporal CLI, by the first way that works: an address, a path, PATH, the cache, a download, Go.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { Refusal, cacheFolder } from './settings.mjs';
import {
  binaryName,
  findCached,
  findOnPath,
  isNewEnough,
  keepInCache,
  pinnedVersion,
  serverVersion,
  whyTooOld,
} from './temporal-binary.mjs';
import { buildTemporal, checkGo } from './temporal-build.mjs';
import { downloadTemporal, findArchive } from './temporal-download.mjs';

const WAYS_OUT =
  'Set TEMPORAL_CLI_PATH to a Temporal CLI, put one on PATH, set TEMPORAL_ADDRESS to a server of your own, ' +
  'or install Go and start again.';

/** Takes a few seconds at most, so that a refusal comes before anything is installed. */
export async function planTemporal({ ownServer = process.env.TEMPORAL_ADDRESS } = {}) {
  if (ownServer) return { text: `the server at ${ownServer} (TEMPORAL_ADDRESS)` };
  const asked = process.env.TEMPORAL_CLI_PATH;
  if (asked) {
    const version = serverVersion(asked);
    if (!isNewEnough(version)) throw new Refusal(`TEMPORAL_CLI_PATH: ${whyTooOld(asked, version)}.`);
    return { path: asked, text: `server ${version} (TEMPORAL_CLI_PATH)` };
  }
  const notes = [];
  const onPath = findOnPath(binaryName);
  if (onPath) {
    const version = serverVersion(onPath);
    if (isNewEnough(version)) return { path: onPath, text: `server ${version} (${onPath})` };
    notes.push(whyTooOld(onPath, version));
  }
  const cached = findCached();
  if (cached) return { path: cached, text: `server ${serverVersion(cached)} (cache)` };
  return planMaking(notes);
}

async function planMaking(notes) {
  const version = pinnedVersion();
  const go = checkGo();
  const { sum, reason } = await findArchive(version);
  if (sum) return { version, sum, go, text: `downloading the Temporal CLI ${version}` };
  const why = [...notes, `no download (${reason})`].join('; ');
  if (go.refusal) throw new Refusal(`No Temporal server: ${why}; ${go.refusal}. ${WAYS_OUT}`);
  return { version, go, text: `${why}: building ${go.version} with Go, about 5 min, once` };
}

/** Carries a plan out and answers the path of the CLI; undefined where a server of the user's own is used. */
export async function provideTemporal(plan, { step, log }) {
  if (!plan.version) return plan.path;
  const cache = join(cacheFolder(), 'temporal');
  const waiting = (holder) => step.say(`process ${holder.child?.pid ?? holder.pid} is making it: waiting for that`);
  return withLock(join(cache, 'lock'), {}, waiting, async (lock) => {
    const made = findCached();
    if (made) return made;
    const work = join(cache, 'making');
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true, mode: 0o700 });
    try {
      const [binary, version] = await make(plan, { step, log, work, onSpawn: (child) => lock.update({ child }) });
      if (!isNewEnough(serverVersion(binary))) throw new Refusal(whyTooOld(binary, serverVersion(binary)));
      return keepInCache(binary, version);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

async function make({ version, sum, go }, { step, ...tools }) {
  if (sum) {
    try {
      return [await downloadTemporal(version, sum, tools.work), version];
    } catch (error) {
      if (go.refusal)
        throw new Refusal(`No Temporal server: the download failed (${error.message}); ${go.refusal}. ${WAYS_OUT}`);
      step.say(`the download failed (${error.message}): building ${go.version} with Go, about 5 min, once`);
    }
  }
  return [await buildTemporal(go.version, tools), go.version];
}
