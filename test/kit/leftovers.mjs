// Ends the servers and removes the folders of test runs that were killed before they could do so themselves.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { lockHolder } from '../../local/lock.mjs';

/** Where each run has a folder, with a lock that its process holds. */
export const runsFolder = join(tmpdir(), `fermata-test-${userInfo().uid}`);

export async function sweepLeftovers() {
  const { leftBy, reclaim } = await import('../../dist/local/reclaim.js');
  mkdirSync(runsFolder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(runsFolder).filter((name) => name.startsWith('run-'))) {
    const dir = join(runsFolder, name);
    if (lockHolder(join(dir, 'lock'))) continue;
    await reclaim(leftBy(join(dir, 'temporal', 'temporal.pid')), ['start-dev', dir], 'SIGTERM');
    await reclaim(leftBy(join(dir, 'postgres', 'data', 'postmaster.pid')), ['postgres', dir], 'SIGINT');
    rmSync(dir, { recursive: true, force: true });
  }
}
