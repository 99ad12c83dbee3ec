// Reading tasks and events, and asking a task to stop.
import { WorkflowNotFoundError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { reaching } from '../clients/postgres.ts';
import { isOpen } from '../clients/temporal.ts';
import type { TaskEvent } from '../domain/event.ts';
import { Failure } from '../domain/failures.ts';
import { termsOf } from '../domain/policy.ts';
import type { TaskInput } from '../domain/task.ts';
import { isTaskId, isTerminal, workflowIdOf } from '../domain/task.ts';
import { parseTaskInput } from '../domain/task-input.ts';
import { operationOf } from '../operations/index.ts';
import { headOf } from '../store/seal.ts';
import type { SealedEvent } from '../store/events.ts';
import { eventsOfTask, sealedAfter } from '../store/events.ts';
import type { TaskListRow, TaskPage, TaskRow } from '../store/tasks.ts';
import { findTask, listTasks, registerTask, requestStop } from '../store/tasks.ts';
import type { TaskView } from '../workflows/messages.ts';
import type { Service } from './open.ts';

export type { SealedEvent, TaskListRow, TaskPage, TaskRow };

/** A task; undefined when there is none. Its row is normally there; while it is not, Temporal is asked. */
export async function getTask(service: Service, tenant: string, id: string): Promise<TaskRow | undefined> {
  if (!isTaskId(id)) return undefined;
  try {
    const found = await reaching(findTask(service.postgres.db, tenant, id));
    if (found) return found.row;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const running = await fromTemporal(service, tenant, id);
    // It may have ended long ago; only the store would know.
    if (!running) throw error;
    return running;
  }
  return fromTemporal(service, tenant, id);
}

/** Waits until the task needs nobody but time: terminal, or awaiting a decision; and for the version to change, if given. */
export async function waitForTask(
  service: Service,
  tenant: string,
  id: string,
  timeoutMs: number,
  seenVersion?: number,
): Promise<TaskRow | undefined> {
  let last: TaskRow | undefined;
  await service.watch.until(id, timeoutMs, async () => {
    last = await getTask(service, tenant, id);
    if (!last) return true;
    if (seenVersion !== undefined) return last.lastSeq === seenVersion ? undefined : true;
    return isTerminal(last.status) || last.status === 'AWAITING_CONFIRMATION' ? true : undefined;
  });
  return last;
}

/** A page of tasks, oldest first. Throws `StoreUnavailable`. */
export function getTasks(service: Service, tenant: string, page: TaskPage) {
  return reaching(listTasks(service.postgres.db, tenant, page));
}

/** The events of a task in order. Throws `TaskNotFound`. */
export async function getEvents(service: Service, tenant: string, id: string): Promise<TaskEvent[]> {
  const found = await reaching(eventsOfTask(service.postgres.db, tenant, id));
  if (found.length === 0 && !(await getTask(service, tenant, id))) throw new Failure('TaskNotFound', { id });
  return found;
}

/** The position of a tenant's last sealed event, 0 when there is none. */
export async function getHead(service: Service, tenant: string): Promise<number> {
  return (await reaching(headOf(service.postgres.db, tenant))).position;
}

/** Sealed events after a position, in the tenant's order. */
export function getSealed(service: Service, tenant: string, after: number, limit: number): Promise<SealedEvent[]> {
  return reaching(sealedAfter(service.postgres.db, tenant, after, limit));
}

/**
 * Asks a task to stop: first the mark in its row, which every step looks at and which names who asked, then the
 * cancellation of its workflow. Throws `NotTerminable` when it is unknown or has ended.
 */
export async function cancelTask(
  service: Service,
  { tenant, id, by, undo }: { tenant: string; id: string; by: string; undo: boolean },
): Promise<void> {
  if (!isTaskId(id)) throw new Failure('NotTerminable', { id });
  const { db } = service.postgres;
  if (!(await reaching(requestStop(db, tenant, id, by, undo)))) {
    const found = await reaching(findTask(db, tenant, id));
    const input = found ? undefined : await inputOf(service, tenant, id);
    if (!input) throw new Failure('NotTerminable', { id });
    const { risk, effect } = termsOf(operationOf(input.operation), service.policy, input.risk);
    await reaching(registerTask(db, { id, input, risk, effect }));
    if (!(await reaching(requestStop(db, tenant, id, by, undo)))) throw new Failure('NotTerminable', { id });
  }
  const { client, reach } = service.temporal;
  try {
    await reach(() => client.workflow.getHandle(workflowIdOf(id)).cancel());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new Failure('NotTerminable', { id });
    throw error;
  }
}

/** The input that the workflow of a running task was started with, from its first event. */
async function inputOf({ temporal }: Service, tenant: string, id: string): Promise<TaskInput | undefined> {
  const { client, reach } = temporal;
  const workflowId = workflowIdOf(id);
  try {
    const description = await reach(() => client.workflow.getHandle(workflowId).describe());
    if (!isOpen(description)) return undefined;
    const { history } = await reach(() =>
      client.workflowService.getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId },
        maximumPageSize: 1,
      }),
    );
    const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    const input = parseTaskInput(payload ? defaultPayloadConverter.fromPayload(payload) : undefined);
    return (input.tenant ?? 'default') === tenant ? input : undefined;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    if (error instanceof Failure && error.type === 'InvalidRequest') return undefined;
    throw error;
  }
}

/** What a running task says of itself, in the form of a row; what only the store knows is left empty. */
async function fromTemporal(service: Service, tenant: string, id: string): Promise<TaskRow | undefined> {
  const input = await inputOf(service, tenant, id);
  if (!input) return undefined;
  const { client, reach } = service.temporal;
  const handle = client.workflow.getHandle(workflowIdOf(id));
  const view = await reach(() => handle.query<TaskView>('status'), 2_000).catch(() => undefined);
  const { risk, effect } = termsOf(operationOf(input.operation), service.policy, input.risk);
  const at = new Date(input.submittedAt ?? Date.now());
  return {
    id,
    position: 0,
    tenant,
    operation: input.operation,
    resource: input.resource,
    params: input.params,
    fingerprint: input.fingerprint ?? null,
    requestedBy: input.requestedBy ?? 'temporal',
    risk,
    effect,
    status: view?.status ?? 'PENDING',
    phase: view?.phase ?? 'planning',
    reason: view?.reason ?? null,
    terms: null,
    plan: null,
    planDigest: view?.planDigest ?? null,
    result: null,
    error: null,
    decidedBy: null,
    approved: null,
    acknowledged: false,
    approveBy: null,
    attempts: null,
    firstRunId: null,
    lastSeq: view?.seq ?? 0,
    stopRequestedAt: null,
    stopRequestedBy: null,
    undoRequested: false,
    checkedAt: at,
    createdAt: at,
    updatedAt: at,
  };
}
