// Before all tests: one Temporal server and one PostgreSQL for the run, in a folder of its own.
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { tryLock } from '../../local/lock.mjs';
import { findCached } from '../../local/temporal-binary.mjs';
import { runsFolder, sweepLeftovers } from './leftovers.mjs';

const HIDDEN = '.new-';

/** Locked before another run, which sweeps what nobody holds, can see it. */
function lockedFolder() {
  const hidden = mkdtempSync(join(runsFolder, HIDDEN));
  tryLock(join(hidden, 'lock'));
  const dir = join(runsFolder, `run-${basename(hidden).slice(HIDDEN.length)}`);
  renameSync(hidden, dir);
  return dir;
}

export default async function setUp() {
  process.env.TEMPORAL_CLI_PATH ||= findCached() ?? '';
  await sweepLeftovers();
  const dir = lockedFolder();
  const { startPostgres, startTemporal } = await import('../../dist/test/kit/servers.js');
  // Nothing of these servers outlives the run, so nothing is forced to disk.
  const settings = { fsync: 'off', full_page_writes: 'off' };
  const started = await Promise.allSettled([
    startTemporal({ dir: join(dir, 'temporal') }),
    startPostgres({ dir: join(dir, 'postgres'), settings }),
  ]);
  const stop = async () => {
    await Promise.all(started.map(({ value }) => value?.stop()));
    rmSync(dir, { recursive: true, force: true });
  };
  const failed = started.find(({ status }) => status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  globalThis.stopFermataServers = stop;
  const [temporal, postgres] = started;
  process.env.FERMATA_TEST_TEMPORAL_ADDRESS = temporal.value.address;
  process.env.FERMATA_TEST_DATABASE_URL = postgres.value.url;
}
