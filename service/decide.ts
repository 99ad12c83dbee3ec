// Deciding on a task: the plan is waited for, the workflow is asked, and what it recorded is the answer.
import {
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { reaching } from '../clients/postgres.ts';
import type { Decision, DecisionAnswer } from '../domain/decision.ts';
import { refusalOf } from '../domain/decision.ts';
import { Failure, isFailureType } from '../domain/failures.ts';
import { isTaskId, workflowIdOf } from '../domain/task.ts';
import type { TaskRow } from '../store/tasks.ts';
import { acknowledgeDecision, findTask, findTaskSettled } from '../store/tasks.ts';
import { decideUpdate } from '../workflows/messages.ts';
import type { Service } from './open.ts';

export interface DecisionRequest {
  readonly tenant: string;
  readonly id: string;
  readonly approve: boolean;
  readonly by: string;
  readonly planDigest?: string;
  readonly comment?: string;
  /** Part of the name that the decision has in the history. */
  readonly requestId: string;
}

/** A task is planned in a second or two; longer means that the cloud is in trouble. */
const PLAN_WAIT_MS = 10_000;
/** How long a decision may be recorded after it was sent; a caller who gave up is never surprised later. */
const VALID_MS = 4_000;
/** What the answer needs beyond that to come back. */
const ANSWER_MS = 700;

/**
 * Decides on a task. Throws `NotAwaitingConfirmation` (also for unknown tasks, as the contract has it),
 * `AlreadyDecided`, `PlanDigestMismatch`, `DecisionUnanswered`, `StoreUnavailable` or `TemporalUnavailable`.
 */
export async function decide(service: Service, request: DecisionRequest): Promise<void> {
  const { tenant, id, approve, by, planDigest, comment, requestId } = request;
  if (!isTaskId(id)) throw new Failure('NotAwaitingConfirmation', { id });
  const { row, now } = await planned(service, tenant, id);
  const decision: Decision = {
    approve,
    by,
    validUntil: new Date(now.getTime() + VALID_MS).toISOString(),
    ...(planDigest !== undefined && { planDigest }),
    ...(comment !== undefined && { comment }),
  };
  check(row, decision);
  if (row.decidedBy !== null) {
    if (row.approved && !(await reaching(acknowledgeDecision(service.postgres.db, id)))) {
      throw new Failure('NotAwaitingConfirmation', { id });
    }
    if (row.reason === 'approved') service.waker.wake(id);
    return;
  }
  try {
    const { approved, by: decidedBy } = await ask(service, id, decision, requestId);
    if (approved !== approve || decidedBy !== by)
      throw new Failure('AlreadyDecided', { id, by: decidedBy, decision: approved ? 'approved' : 'rejected' });
  } catch (error) {
    await explain(service, tenant, id, decision, error);
  }
}

/** The row once there is a plan to decide on, or none will come. */
async function planned(service: Service, tenant: string, id: string): Promise<{ row: TaskRow; now: Date }> {
  const found = await service.watch.until(id, PLAN_WAIT_MS, async () => {
    const seen = await reaching(findTask(service.postgres.db, tenant, id));
    if (!seen) throw new Failure('NotAwaitingConfirmation', { id });
    const { status, risk, effect } = seen.row;
    // A change may turn out to be guarded when it is planned, whatever config says of it.
    return status === 'PENDING' && (risk === 'high' || effect !== 'read') ? undefined : seen;
  });
  if (!found) throw new Failure('DecisionUnanswered', { id });
  return found;
}

function check(row: TaskRow, decision: Decision): void {
  const refusal = refusalOf(decision, {
    taskId: row.id,
    awaiting: row.status === 'AWAITING_CONFIRMATION' && row.stopRequestedAt === null,
    planDigest: row.planDigest ?? undefined,
    decided: row.decidedBy === null ? undefined : { approve: row.approved === true, by: row.decidedBy },
  });
  if (refusal) throw new Failure(refusal.type, refusal.details);
}

function ask({ temporal }: Service, id: string, decision: Decision, requestId: string): Promise<DecisionAnswer> {
  const { client, reach } = temporal;
  return reach(
    () =>
      client.workflow
        .getHandle(workflowIdOf(id))
        .executeUpdate(decideUpdate, { args: [decision], updateId: updateIdOf(decision, requestId) }),
    VALID_MS + ANSWER_MS,
  );
}

/**
 * Every try is an update of its own: Temporal answers a repeated id with what it stored, and of a try that was not
 * recorded in time that is a failure for ever. What counted answers each repeat the same anyway.
 */
function updateIdOf({ approve, planDigest, validUntil }: Decision, requestId: string): string {
  return `${approve ? 'approve' : 'reject'}-${planDigest?.slice(0, 16) ?? 'any'}-${requestId}-${validUntil ?? 'ever'}`;
}

/** The workflow refused, or did not answer: then the row, read when nothing can change it any more, has the last word. */
async function explain(
  service: Service,
  tenant: string,
  id: string,
  decision: Decision,
  error: unknown,
): Promise<void> {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  const refused = cause instanceof ApplicationFailure ? cause.type : undefined;
  if (!(cause || isAboutTheCall(error))) throw error;
  const row = await reaching(findTaskSettled(service.postgres.db, tenant, id));
  if (!row) throw new Failure('NotAwaitingConfirmation', { id });
  // A dying server takes the update along, but not what was recorded, or still will be while the decision is valid.
  if (!cause) service.waker.wake(id, row.decidedBy === null ? VALID_MS + ANSWER_MS : ANSWER_MS);
  if (row.decidedBy !== null) {
    check(row, decision);
    if (!row.approved || (await reaching(acknowledgeDecision(service.postgres.db, id)))) return;
    throw new Failure('NotAwaitingConfirmation', { id });
  }
  if (isFailureType(refused) && cause instanceof ApplicationFailure) {
    const [details] = cause.details ?? [];
    throw new Failure(refused, isDetails(details) ? details : { id });
  }
  if (error instanceof WorkflowNotFoundError) throw new Failure('NotAwaitingConfirmation', { id });
  // Before its time is over the decision may still be recorded; only afterwards it is certain that it will not be.
  throw new Failure(isOver(decision, row.now) ? 'DecisionUnanswered' : 'TemporalUnavailable', { id });
}

function isOver({ validUntil }: Decision, now: Date): boolean {
  return validUntil !== undefined && now.getTime() > Date.parse(validUntil);
}

/** True when the call failed in a way that leaves open what the workflow did. */
function isAboutTheCall(error: unknown): boolean {
  return (
    error instanceof Failure ||
    error instanceof WorkflowNotFoundError ||
    error instanceof ServiceError ||
    error instanceof WorkflowUpdateRPCTimeoutOrCancelledError
  );
}

function isDetails(value: unknown): value is Record<string, string | number> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((entry) => typeof entry === 'string' || typeof entry === 'number')
  );
}
