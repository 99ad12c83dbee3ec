// Whether store and Temporal say the same of every task, and whether the effects file has each effect once.
import { openPostgres } from '../../clients/postgres.ts';
import { verifyChain } from '../../store/audit.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

const SAME: Readonly<Record<string, string>> = { COMPLETED: 'COMPLETED', FAILED: 'FAILED', TERMINATED: 'CANCELLED' };

/**
 * A row may end before its workflow, whose last task a kill can take along: Temporal gives it out again after 10 s. A
 * lost activity needs its heartbeat's 10 s and a pause besides.
 */
const CLOSES_WITHIN_MS = 30_000;

/** What Temporal waits for in the workflow of a task: the first thing to know of one that does not end. */
export async function whatPends({ temporal }: System, id: string): Promise<string> {
  const { raw, status, historyLength } = await temporal.workflow.getHandle(`task-${id}`).describe();
  const { pendingActivities, pendingWorkflowTask } = raw;
  return JSON.stringify({ status: status.name, historyLength, pendingActivities, pendingWorkflowTask });
}

/** Tasks of which row and workflow do not say the same, with both; asked again until the workflows have closed. */
export async function disagreements(system: System): Promise<string[]> {
  const { rows } = await system.db.query<{ id: string; status: string }>(
    'select id, status from tasks order by position',
  );
  const found: string[] = [];
  const deadline = Date.now() + CLOSES_WITHIN_MS;
  for (const { id, status } of rows) {
    const wanted = SAME[status];
    if (wanted === undefined) {
      found.push(`${id}: row ${status}`);
      continue;
    }
    const handle = system.temporal.workflow.getHandle(`task-${id}`);
    const last = { name: '' };
    await until(
      'workflow closed',
      async () => {
        last.name = (await handle.describe()).status.name;
        return last.name === wanted;
      },
      Math.max(1_000, deadline - Date.now()),
    ).catch(async () => {
      found.push(`${id}: row ${status}, workflow ${last.name}: ${await whatPends(system, id).catch(String)}`);
    });
  }
  return found;
}

/** Instances that were terminated or rebooted more often than once. */
export function doubledEffects(system: System): string[] {
  const seen = new Map<string, number>();
  for (const { action, changed = [] } of system.cloud.effects('TerminateInstances', 'StopInstances')) {
    for (const id of changed) seen.set(`${action} ${id}`, (seen.get(`${action} ${id}`) ?? 0) + 1);
  }
  return [...seen].filter(([, times]) => times > 1).map(([what, times]) => `${what}: ${times} times`);
}

/** Waits until everything is sealed, then verifies the chain. Returns what is wrong; empty when nothing is. */
export async function auditFlaws({ databaseUrl }: System): Promise<string[]> {
  const postgres = openPostgres(databaseUrl, 1);
  try {
    const report = await until('sealed', async () => {
      const seen = await verifyChain(postgres.db, 'default');
      return seen.unsealed === 0 || seen.firstBad ? seen : undefined;
    });
    return [...(report.firstBad ? [`${report.firstBad.position}: ${report.firstBad.why}`] : []), ...report.truncated];
  } finally {
    await postgres.close();
  }
}
