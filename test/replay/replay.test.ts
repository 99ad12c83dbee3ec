// Replays the recorded history of every branch with today's workflows; a changed order of commands shows here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { ReplayResult, WorkflowBundleOption } from '@temporalio/worker';
import { assetPath, distRoot, workflowBundlePath } from '../../config/paths.ts';
import { BRANCHES } from './branches.ts';

// Replaying says a lot about workers that come and go, and warns of what the negative control is there to show.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: 'off', forward: {} } },
});

const folder = assetPath('test', 'replay', 'histories');
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length));

/** A history does not say under which id it ran; a task wants one of its form. */
function workflowIdOf(name: string): string {
  return `task-00000000-0000-4000-8000-${String(names.indexOf(name)).padStart(12, '0')}`;
}

async function replay(
  workflowBundle: WorkflowBundleOption,
  only: readonly string[],
): Promise<Map<string, ReplayResult>> {
  const histories = only.map((name) => ({
    workflowId: workflowIdOf(name),
    history: JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')),
  }));
  const results = new Map<string, ReplayResult>();
  for await (const result of Worker.runReplayHistories({ workflowBundle }, histories)) {
    results.set(only.find((name) => workflowIdOf(name) === result.workflowId) ?? '', result);
  }
  return results;
}

test('there is a history of every branch', () => {
  expect(names.sort()).toEqual(BRANCHES.map(({ name }) => name).sort());
});

test('all of them replay', async () => {
  const results = await replay({ codePath: workflowBundlePath }, names);
  const failed = [...results].filter(([, { error }]) => error).map(([name, { error }]) => `${name}: ${error?.message}`);
  expect(failed).toEqual([]);
  expect(results.size).toBe(names.length);
});

test('a workflow that does something else first is found out', async () => {
  const broken = await bundleWorkflowCode({
    workflowsPath: join(distRoot, 'test', 'replay', 'broken-workflows.js'),
    logger: new DefaultLogger('ERROR'),
  });
  const results = await replay(broken, names);
  const accepted = [...results].filter(([, { error }]) => !error).map(([name]) => name);
  expect(accepted).toEqual([]);
});
