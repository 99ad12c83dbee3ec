// Comparing rows with workflows: tasks whose workflow is gone, cancellations that never arrived, workflows behind their row.
import { WorkflowNotFoundError } from '@temporalio/client';
import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import type { Postgres } from '../clients/postgres.ts';
import { firstRunIdOf, isOpen } from '../clients/temporal.ts';
import type { EventWish } from '../domain/event.ts';
import { failureText } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import { termsOf } from '../domain/policy.ts';
import type { TaskStatus } from '../domain/task.ts';
import { taskIdOf, workflowIdOf } from '../domain/task.ts';
import { keepFindings } from '../store/findings.ts';
import { recordEvent } from '../store/record.ts';
import type { TaskRow } from '../store/tasks.ts';
import { statusOf, takeQuietTasks } from '../store/tasks.ts';

/** A row that changed later than this is left alone: its workflow may be about to say more. */
const QUIET_MS = 30_000;
const ROWS_A_RUN = 200;
/** What a run looks at of the open workflows; visibility is rate-limited, so it is one query a status. */
const WORKFLOWS_A_RUN = 2_000;
const OPEN_STATUSES: readonly TaskStatus[] = ['PENDING', 'AWAITING_CONFIRMATION', 'RUNNING'];

export interface ReconcileActivities {
  /** Closes rows whose workflow is closed or gone without having said so, and sends cancellations that never arrived. */
  closeLostTasks(): Promise<{ readonly looked: number; readonly lost: number; readonly cancelled: number }>;
  /** Wakes workflows whose row has gone on without them. */
  wakeTasksBehind(): Promise<{ readonly woken: number }>;
}

interface Parts {
  readonly postgres: Postgres;
  readonly workflows: WorkflowClient;
  readonly policy: Policy;
  /** Only workflows of this queue are this system's. */
  readonly taskQueue: string;
  /** Without them nothing tells which workflows are behind; a decision's timer still wakes each in the end. */
  readonly withSearchAttributes: boolean;
}

/** The activities of the `reconcile` workflow. */
export function reconcileActivities(parts: Parts): ReconcileActivities {
  const { postgres, workflows, taskQueue, withSearchAttributes } = parts;
  return {
    closeLostTasks: async () => {
      const rows = await takeQuietTasks(postgres.db, QUIET_MS, ROWS_A_RUN);
      let lost = 0;
      let cancelled = 0;
      for (const row of rows) {
        const description = await describe(workflows, row.id);
        if (!description || !isOpen(description)) {
          await closeLost(parts, row, description);
          lost += 1;
        } else if (row.stopRequestedAt !== null) {
          await unlessGone(workflows.getHandle(workflowIdOf(row.id)).cancel());
          cancelled += 1;
        }
      }
      return { looked: rows.length, lost, cancelled };
    },
    wakeTasksBehind: async () => {
      let woken = 0;
      for (const status of withSearchAttributes ? OPEN_STATUSES : []) {
        for (const id of await behind(postgres, await openTasks(workflows, taskQueue, status), status)) {
          await unlessGone(workflows.getHandle(workflowIdOf(id)).signal('wake'));
          woken += 1;
        }
      }
      return { woken };
    },
  };
}

/** A workflow may close between two looks; the next run sees that. */
async function unlessGone(call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}

async function describe(workflows: WorkflowClient, id: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await workflows.getHandle(workflowIdOf(id)).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function closeLost(
  { postgres, policy }: Parts,
  row: TaskRow,
  description: WorkflowExecutionDescription | undefined,
): Promise<void> {
  const { id, operation, resource, params, risk, effect, tenant, requestedBy, lastSeq } = row;
  const state = description ? description.status.name.toLowerCase().replaceAll('_', ' ') : 'gone';
  const error = failureText('TaskLost', { id, state });
  const wish: EventWish = {
    to: 'FAILED',
    phase: 'closed',
    reason: 'lost',
    by: 'fermata/reconcile',
    says: error,
    error,
  };
  await recordEvent(postgres, {
    task: { id, input: { operation, resource, params, tenant, requestedBy }, risk, effect },
    terms: row.terms ?? termsOf({ name: operation, effect }, policy, risk),
    runId: row.firstRunId ?? (description ? firstRunIdOf(description) : 'gone'),
    seq: lastSeq + 1,
    wish,
  });
  await keepFindings(postgres.db, [{ kind: 'task_lost', subject: id, tenant, says: error }]);
}

/** Ids of the open tasks that say of themselves that they have this status. */
async function openTasks(workflows: WorkflowClient, taskQueue: string, status: TaskStatus): Promise<string[]> {
  const query = `WorkflowType='runTask' AND ExecutionStatus='Running' AND TaskQueue='${taskQueue}' AND TaskStatus='${status}'`;
  const ids: string[] = [];
  for await (const { workflowId } of workflows.list({ query, pageSize: 1_000 })) {
    const id = taskIdOf(workflowId);
    if (id !== undefined) ids.push(id);
    if (ids.length >= WORKFLOWS_A_RUN) break;
  }
  return ids;
}

async function behind(postgres: Postgres, ids: readonly string[], status: TaskStatus): Promise<string[]> {
  const rows = await statusOf(postgres.db, ids);
  const quietSince = Date.now() - QUIET_MS;
  return rows.filter((row) => row.status !== status && row.updatedAt.getTime() < quietSince).map(({ id }) => id);
}
