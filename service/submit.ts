// Submitting a task: the start of its workflow is the commit, and everything after it may fail without losing the task.
import { createHash, randomUUID } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { SearchAttributePair } from '@temporalio/common';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import { isInstanceId } from '../domain/instance.ts';
import { canonical } from '../domain/plan.ts';
import { termsOf } from '../domain/policy.ts';
import { searchValue } from '../domain/search.ts';
import type { JsonObject, TaskInput, Terms } from '../domain/task.ts';
import { workflowIdOf } from '../domain/task.ts';
import type { Prepared } from '../operations/index.ts';
import { operationOf } from '../operations/index.ts';
import { findMember, isGuardedInstance } from '../store/members.ts';
import { findTask, registerTask } from '../store/tasks.ts';
import type { Service } from './open.ts';

export interface Submission {
  readonly tenant: string;
  readonly principal: string;
  readonly operation: string;
  readonly resource: string;
  readonly params: JsonObject;
  readonly idempotencyKey?: string;
}

export interface Submitted {
  readonly taskId: string;
  /** Why it waits for a decision, as far as that can be told before it is planned; undefined when it seems to need none. */
  readonly heldFor: 'high_risk' | 'guarded_member' | undefined;
  /** True when this key was used before with the same body: nothing was started now. */
  readonly replayed: boolean;
}

/**
 * Starts a task. Throws `UnknownOperation`, `MissingParams`, `InvalidParams`, `IdempotencyKeyReused`, and
 * `TemporalUnavailable`, `StartUnknown` or `StoreUnavailable` when it cannot be known that the task is kept.
 */
export async function submit(service: Service, submission: Submission): Promise<Submitted> {
  const { tenant, principal, operation: name, resource, params, idempotencyKey } = submission;
  const operation = operationOf(name);
  const prepared = operation.prepare(params);
  const terms = termsOf(operation, service.policy, undefined);
  const input: TaskInput = {
    operation: name,
    resource,
    params,
    tenant,
    requestedBy: principal,
    submittedAt: new Date().toISOString(),
    risk: terms.risk,
    fingerprint: createHash('sha256')
      .update(canonical({ operation: name, resource, params }))
      .digest('hex'),
    ...(service.withSearchAttributes ? {} : { withoutSearchAttributes: true }),
  };
  const taskId = idempotencyKey === undefined ? randomUUID() : taskIdOfKey(tenant, idempotencyKey);
  // Asked meanwhile, and never a reason to refuse: the plan has the last word, and it waits for a decision by itself.
  const held = heldFor(service, tenant, prepared, terms).catch(() => undefined);
  if (idempotencyKey !== undefined && (await wasSubmitted(service, tenant, taskId, input))) {
    return { taskId, heldFor: await held, replayed: true };
  }
  const replayed = await start(service, taskId, input, terms);
  if (!replayed) await register(service, taskId, input, terms);
  return { taskId, heldFor: await held, replayed };
}

/** A change of a guarded member is known here where its parameters name the member, or its instance by id. */
async function heldFor(
  { postgres: { db } }: Service,
  tenant: string,
  { effect, reads }: Prepared,
  { risk }: Terms,
): Promise<Submitted['heldFor']> {
  if (risk === 'high') return 'high_risk';
  if (effect === 'read') return undefined;
  const guarded =
    reads.kind === 'member'
      ? (await findMember(db, tenant, reads.ref))?.settings.guarded === true
      : reads.kind === 'one' && isInstanceId(reads.ref) && (await isGuardedInstance(db, reads.ref));
  return guarded ? 'guarded_member' : undefined;
}

/** A UUID of version 8 (RFC 9562): the first bytes of SHA-256 over tenant and key. */
function taskIdOfKey(tenant: string, key: string): string {
  const hex = createHash('sha256').update(`${tenant}\n${key}`).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

/** The row is asked first, because Temporal forgets ids after its retention. */
async function wasSubmitted({ postgres }: Service, tenant: string, id: string, input: TaskInput): Promise<boolean> {
  const found = await reaching(findTask(postgres.db, tenant, id));
  if (found && found.row.fingerprint !== input.fingerprint) throw new Failure('IdempotencyKeyReused', { id });
  return found !== undefined;
}

/** Returns true when the workflow was there already, started by the same submission. */
async function start(service: Service, id: string, input: TaskInput, terms: Terms): Promise<boolean> {
  const { client, reach, isReachable } = service.temporal;
  const workflowId = workflowIdOf(id);
  // Nothing is sent to a server that is known to be away, so nothing can have been started.
  if (!isReachable()) throw new Failure('TemporalUnavailable');
  try {
    await reach(() =>
      client.workflow.start('runTask', {
        workflowId,
        taskQueue: service.taskQueue,
        args: [input],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        memo: { fingerprint: input.fingerprint ?? '' },
        staticSummary: `${input.operation} on ${input.resource}`.slice(0, 120),
        ...(service.withSearchAttributes && { typedSearchAttributes: searchAttributesOf(input, terms) }),
      }),
    );
    return false;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return sameAs(service, id, input);
    if (error instanceof Failure && error.type === 'TemporalUnavailable') return startedAfterAll(service, id, input);
    throw error;
  }
}

async function sameAs({ temporal }: Service, id: string, { fingerprint }: TaskInput): Promise<true> {
  const description = await temporal.reach(() => temporal.client.workflow.getHandle(workflowIdOf(id)).describe());
  if (description.memo?.fingerprint !== fingerprint) throw new Failure('IdempotencyKeyReused', { id });
  return true;
}

/** The answer to the start was lost: a workflow that is there now was started by it. */
async function startedAfterAll(service: Service, id: string, input: TaskInput): Promise<boolean> {
  try {
    await sameAs(service, id, input);
    return false;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new Failure('TemporalUnavailable');
    throw error instanceof Failure && error.type === 'IdempotencyKeyReused'
      ? error
      : new Failure('StartUnknown', { id });
  }
}

/** So that the next read shows it. If this fails, the workflow writes the row itself. */
async function register({ postgres }: Service, id: string, input: TaskInput, terms: Terms): Promise<void> {
  const { risk, effect } = terms;
  await registerTask(postgres.db, { id, input, risk, effect }).catch(() => undefined);
}

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

function searchAttributesOf({ operation, resource, tenant = 'default' }: TaskInput, { risk, effect }: Terms) {
  const pairs: SearchAttributePair[] = [
    // A read is running from its first event on; saying so now saves the workflow an event.
    { key: keyword('TaskStatus'), value: effect === 'read' && risk === 'safe' ? 'RUNNING' : 'PENDING' },
    { key: keyword('Operation'), value: searchValue(operation) },
    { key: keyword('Resource'), value: searchValue(resource) },
    { key: keyword('Tenant'), value: searchValue(tenant) },
    { key: keyword('Risk'), value: risk },
  ];
  return new TypedSearchAttributes(pairs);
}
