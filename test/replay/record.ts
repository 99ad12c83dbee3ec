// Records the histories that `replay.test.ts` replays: run it with `node dist/test/replay/record.js NAME ...` when a branch is new.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { assetPath } from '../../config/paths.ts';
import { isJobId } from '../../domain/job.ts';
import { workflowIdOf } from '../../domain/task.ts';
import { startPostgres, startTemporal } from '../kit/servers.ts';
import { startSystem } from '../kit/system.ts';
import { BRANCHES } from './branches.ts';

const dir = mkdtempSync(join(tmpdir(), 'fermata-record-'));
const temporal = await startTemporal({ dir: join(dir, 'temporal') });
const postgres = await startPostgres({ dir: join(dir, 'postgres') });
const system = await startSystem({
  temporalAddress: temporal.address,
  databaseUrl: postgres.url,
  config: {
    confirmation: { timeout_seconds: 15 },
    execution: {
      retry_delay_seconds: 0.2,
      lease_wait_seconds: 1,
      max_retries: 2,
      operation_timeout_seconds: { restart_instance: 0.3 },
    },
  },
});
try {
  for (const { name, run } of BRANCHES.filter((branch) => process.argv.includes(branch.name))) {
    const id = await run(system);
    const handle = system.temporal.workflow.getHandle(isJobId(id) ? id : workflowIdOf(id));
    await handle.result().catch(() => undefined);
    const text = historyToJSON(await handle.fetchHistory());
    // Who recorded it and in which folder is nobody's business, and would only make two recordings differ.
    const anonymous = text
      .replace(/("identity": ?)"[^"]*"/g, '$1"recorded"')
      .replace(/("stackTrace": ?)"(?:[^"\\]|\\.)*"/g, '$1""');
    writeFileSync(assetPath('test', 'replay', 'histories', `${name}.json`), `${anonymous}\n`);
    process.stdout.write(`${name}\n`);
  }
} finally {
  await system.stop();
  await Promise.all([temporal.stop(), postgres.stop()]);
  rmSync(dir, { recursive: true, force: true });
}
process.exit(0);
