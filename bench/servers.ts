// Servers and systems of a measurement's own, in a folder that goes with them, also when the run is interrupted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresHandle, TemporalHandle } from '../test/kit/servers.ts';
import { startPostgres, startTemporal } from '../test/kit/servers.ts';
import type { System, SystemOptions } from '../test/kit/system.ts';
import { startSystem } from '../test/kit/system.ts';

export interface Servers {
  readonly dir: string;
  readonly temporal: TemporalHandle;
  readonly postgres: PostgresHandle;
}

const open = new Set<() => Promise<unknown>>();

/** Ends whatever still runs. */
export async function endServers(): Promise<void> {
  for (const end of [...open].reverse()) await end();
}

/** Keeps `end` for an interrupted run as long as `work` runs, then calls it. */
async function ending<T>(end: () => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  open.add(end);
  try {
    return await work();
  } finally {
    open.delete(end);
    await end();
  }
}

/** A Temporal and a PostgreSQL as `npm start` runs them. */
async function withServers<T>(work: (servers: Servers) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-bench-'));
  const started = await Promise.allSettled([
    startTemporal({ dir: join(dir, 'temporal') }),
    startPostgres({ dir: join(dir, 'postgres') }),
  ]);
  const end = async () => {
    await Promise.all(started.map((each) => (each.status === 'fulfilled' ? each.value.stop() : undefined)));
    rmSync(dir, { recursive: true, force: true });
  };
  return ending(end, () => {
    const [temporal, postgres] = started;
    if (temporal.status === 'rejected') throw temporal.reason;
    if (postgres.status === 'rejected') throw postgres.reason;
    return work({ dir, temporal: temporal.value, postgres: postgres.value });
  });
}

/** A whole system on servers of its own. */
export function withSystem<T>(
  options: Pick<SystemOptions, 'config' | 'stateMs' | 'sandboxArgs' | 'workers'>,
  work: (system: System, servers: Servers) => Promise<T>,
): Promise<T> {
  return withServers(async (servers) => {
    const { temporal, postgres } = servers;
    const system = await startSystem({ ...options, temporalAddress: temporal.address, databaseUrl: postgres.url });
    return ending(system.stop, () => work(system, servers));
  });
}
