// The Temporal server of the launcher: what it keeps, how long, and that one left behind is reclaimed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeProcess } from '../../local/process-info.mjs';
import { startTemporal, type TemporalHandle } from '../kit/servers.ts';

let dir: string;
let server: TemporalHandle | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-temporal-server-'));
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

function ask(address: string, ...args: readonly string[]): string {
  const cli = process.env['TEMPORAL_CLI_PATH'] ?? '';
  return execFileSync(cli, [...args, '--address', address, '--output', 'json'], { encoding: 'utf8' });
}

test('histories are kept for 30 days, and a workflow is there after a kill -9 and a restart', async () => {
  server = await startTemporal({ dir });
  expect(ask(server.address, 'operator', 'namespace', 'describe', '-n', 'default')).toContain(
    '"workflowExecutionRetentionTtl": "2592000s"',
  );
  ask(server.address, 'workflow', 'start', '--type', 'none', '--task-queue', 'none', '--workflow-id', 'kept');
  await server.kill9();
  await server.restart();
  expect(ask(server.address, 'workflow', 'describe', '--workflow-id', 'kept')).toContain(
    '"WORKFLOW_EXECUTION_STATUS_RUNNING"',
  );
});

test('one that a killed parent left behind is ended, and its port is free again', async () => {
  const left = await startTemporal({ dir });
  server = await startTemporal({ dir, port: Number(left.address.split(':')[1]) });
  expect(describeProcess(left.pid)).toBeUndefined();
  expect(server.address).toBe(left.address);
});

test('a pid file that names another living program stops nobody', async () => {
  writeFileSync(join(dir, 'temporal.pid'), `${process.pid}\n`);
  server = await startTemporal({ dir });
  expect(describeProcess(process.pid)).toBeDefined();
});
