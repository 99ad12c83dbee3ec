// The workflow of one task, as the story it runs: terms, plan, hold, execute, undo, close.
import { CancellationScope, condition, proxyActivities, setHandler } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { isStale, parseConfirmSignal } from '../domain/decision.ts';
import type { EventWish, TaskEvent } from '../domain/event.ts';
import { failureText } from '../domain/failures.ts';
import type { Plan } from '../domain/plan.ts';
import { leasesOf } from '../domain/plan.ts';
import type { JsonObject, TaskInput } from '../domain/task.ts';
import { confirmSignal, decideUpdate, leaseFreeSignal, readySignal, statusQuery, wakeSignal } from './messages.ts';
import { reading } from './options.ts';
import { close } from './task-close.ts';
import { execute } from './task-execute.ts';
import { holdLeases } from './task-leases.ts';
import { refused, Task } from './task-state.ts';

/** Runs one task. Returns its result; throws the typed failure or the cancellation that it ended by. */
export async function runTask(input: TaskInput): Promise<JsonObject> {
  const task = new Task(input);
  listen(task);
  try {
    await task.record({ to: 'PENDING', phase: 'planning', says: 'Submitted.' });
    return task.event?.phase === 'reading' ? await read(task) : await change(task);
  } catch (error) {
    return await CancellationScope.nonCancellable(() => close(task, error));
  }
}

function listen(task: Task): void {
  setHandler(statusQuery, () => task.view());
  setHandler(wakeSignal, () => {
    task.woken = true;
  });
  setHandler(leaseFreeSignal, () => {
    task.leaseFree = true;
  });
  setHandler(readySignal, (answer) => {
    task.ready = answer;
  });
  setHandler(decideUpdate, (decision) => task.decide(decision), {
    validator: (decision) => {
      const refusal = task.refusalOf(decision);
      if (refusal) throw refused(refusal.type, refusal.details);
    },
  });
  setHandler(confirmSignal, (raw) => {
    const decision = parseConfirmSignal(raw);
    if ('ignored' in decision) return task.ignore(decision.ignored);
    const refusal = task.refusalOf(decision);
    if (refusal) return task.ignore(failureText(refusal.type, refusal.details));
    task.wish ??= decision;
  });
}

async function read(task: Task): Promise<JsonObject> {
  const { deadlineMs, maxRetries, retryDelayMs } = task.terms;
  const { operation, params, tenant = 'default' } = task.input;
  const work = proxyActivities<Activities>(reading(deadlineMs));
  const closes = task.recording(DONE);
  const { result, attempts, recorded } = await work.read({
    operation,
    params,
    tenant,
    maxRetries,
    retryDelayMs,
    closes,
  });
  task.attempts = attempts;
  // The words may tell of signals that were ignored before.
  const wish = { ...DONE, ...closes.wish, attempts, result };
  completed(task, recorded ? task.goOn(recorded, wish) : await task.record(wish));
  return result;
}

async function change(task: Task): Promise<JsonObject> {
  task.plan = await plan(task);
  if (task.terms.risk === 'high' || task.plan.guarded) await hold(task, task.plan);
  else {
    await task.record({
      to: 'RUNNING',
      phase: 'executing',
      says: task.plan.says,
      plan: task.plan,
      leases: leasesOf(task.plan),
      whenBusy: 'wait',
    });
  }
  await holdLeases(task, leasesOf(task.plan));
  if (task.terms.effect === 'read') return read(task);
  await execute(task, task.plan);
  const event = await complete(task, { outcomes: task.outcomes });
  return event.detail.result ?? {};
}

async function plan(task: Task): Promise<Plan> {
  const { deadlineMs, maxRetries, retryDelayMs } = task.terms;
  const { operation, params, tenant = 'default', onBehalfOf } = task.input;
  return proxyActivities<Activities>(reading(deadlineMs)).makePlan({
    operation,
    params,
    tenant,
    maxRetries,
    retryDelayMs,
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  });
}

/** Waits for a decision on the plan; comes back only when it is approved in time. */
async function hold(task: Task, plan: Plan): Promise<void> {
  await task.record({ to: 'AWAITING_CONFIRMATION', phase: 'awaiting_approval', says: plan.says, plan });
  while (task.event?.to === 'AWAITING_CONFIRMATION') {
    const inTime = await condition(() => task.wish !== undefined || task.woken, task.msLeft());
    const wish = task.wish;
    if (wish || !inTime) await task.record(wish ? decided(task, plan) : expired(task));
    else await task.record(null);
    // Another one may have come in meanwhile; it gets its own turn.
    if (task.wish === wish) task.wish = undefined;
    task.woken = false;
  }
  const { decision, event, answer } = task;
  if (!decision?.approve || event?.to !== 'RUNNING') throw refusedBy(task);
  // Whoever approved was told that it did not count, unless the record says otherwise.
  if (answer && isStale(decision, event.at, answer.now) && (await task.record(expired(task)))) throw expiry(task);
}

function decided(task: Task, plan: Plan): EventWish {
  const { wish } = task;
  const by = wish?.by ?? 'temporal';
  const comment = wish?.comment === undefined ? '' : ` Comment: ${wish.comment}`;
  const base = { by, ...(wish && { decision: { ...wish, planDigest: plan.digest } }) };
  if (wish?.approve !== true) {
    const error = failureText('ConfirmationRejected', { id: task.id, by, comment });
    return { ...base, to: 'FAILED', phase: 'closed', reason: 'rejected', says: `Rejected by ${by}.${comment}`, error };
  }
  const says = `Approved by ${by}.${comment}`;
  const leases = leasesOf(plan);
  return { ...base, to: 'RUNNING', phase: 'executing', reason: 'approved', says, leases, whenBusy: 'wait' };
}

function expired(task: Task): EventWish {
  const error = expiry(task).message;
  return { to: 'FAILED', phase: 'closed', reason: 'expired', says: 'Nobody decided in time.', error };
}

function expiry(task: Task) {
  return refused('ConfirmationTimeout', { id: task.id, seconds: task.terms.confirmMs / 1000 });
}

function refusedBy(task: Task) {
  const { decision } = task;
  if (!decision || decision.approve) return expiry(task);
  const comment = decision.comment === undefined ? '' : ` Comment: ${decision.comment}`;
  return refused('ConfirmationRejected', { id: task.id, by: decision.by, comment });
}

const DONE = { to: 'COMPLETED', phase: 'closed', says: 'Done.' } as const;

/** Records the end of a task that did all it was to do, unless somebody asked it to stop before that was recorded. */
async function complete(task: Task, wish: Pick<EventWish, 'result' | 'outcomes'>): Promise<TaskEvent> {
  return completed(task, await task.record({ ...DONE, attempts: task.attempts, ...wish }));
}

function completed(task: Task, event: TaskEvent | null): TaskEvent {
  if (!event) throw refused('TaskTerminated', { id: task.id, by: task.answer?.stop?.by ?? 'temporal' });
  if (event.to !== 'COMPLETED') throw refused('TaskLost', { id: task.id, state: 'closed' });
  return event;
}
