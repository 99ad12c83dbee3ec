// Executing a plan: batch after batch under one deadline, each step an activity that looks, acts and verifies; and undoing.
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  proxyActivities,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { Plan, Step, StepOutcome } from '../domain/plan.ts';
import { batchesOf, undoStep } from '../domain/plan.ts';
import { acting, looking, UNDO_MS } from './options.ts';
import { getReady } from './task-ready.ts';
import type { Task } from './task-state.ts';

/** Runs the steps of a plan. What became of each is in `task.outcomes`, also when this throws. */
export async function execute(task: Task, plan: Plan): Promise<void> {
  const outer = CancellationScope.current();
  await CancellationScope.withTimeout(task.terms.deadlineMs, async () => {
    const timed = CancellationScope.current();
    try {
      if (plan.needs) await getReady(task, plan.needs);
      for (const batch of batchesOf(plan.steps)) await runBatch(task, batch);
    } catch (error) {
      // A cancellation from outside reaches both scopes, the deadline only the inner one.
      task.deadlineHit = timed.consideredCancelled && !outer.consideredCancelled;
      throw error;
    }
  });
}

async function runBatch(task: Task, batch: readonly Step[]): Promise<void> {
  const settled = await Promise.allSettled(batch.map((step) => runStep(task, step)));
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  // An activity may finish in spite of a cancellation; then the next batch must not begin.
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('stopped after a batch');
}

async function runStep(task: Task, step: Step): Promise<void> {
  const { deadlineMs, maxRetries, retryDelayMs } = task.terms;
  const { performStep } = proxyActivities<Activities>(acting(deadlineMs, step.says));
  try {
    const outcome = await performStep({ taskId: task.id, step, undo: false, maxRetries, retryDelayMs });
    task.outcomes.push(outcome);
    if (!outcome.reached) throw new CancelledFailure('the step was stopped');
  } catch (error) {
    if (error instanceof ActivityFailure) task.outcomes.push(outcomeIn(error) ?? (await lookAfter(task, step)));
    throw error;
  }
}

/** The outcome that a failed step reported with its failure. */
function outcomeIn({ cause }: ActivityFailure): StepOutcome | undefined {
  const detail: unknown = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return isOutcome(detail) ? detail : undefined;
}

function isOutcome(value: unknown): value is StepOutcome {
  return typeof value === 'object' && value !== null && 'stepId' in value && 'acted' in value;
}

/** A lost worker cannot say what it had done: the cloud is read instead. When that fails too, it may have acted. */
async function lookAfter(task: Task, step: Step): Promise<StepOutcome> {
  const { lookAtStep } = proxyActivities<Activities>(looking);
  try {
    return await CancellationScope.nonCancellable(() => lookAtStep({ taskId: task.id, step }));
  } catch (error) {
    const note = `lost, and could not be looked up: ${error instanceof Error ? error.message : 'unknown'}`;
    const { id: stepId, call, target } = step;
    return { stepId, call, target, acted: true, reached: false, seen: {}, attempts: 1, note };
  }
}

/** Puts back what was changed, newest first. Every result, also a failure, is an outcome; nothing is thrown. */
export async function undo(task: Task, plan: Plan): Promise<void> {
  const byId = new Map(plan.steps.map((step) => [step.id, step]));
  const changed = task.outcomes.filter(({ acted }) => acted).reverse();
  for (const { stepId } of changed) {
    const done = byId.get(stepId);
    const step = done && undoStep(done);
    if (step) task.outcomes.push(await undoOne(task, step));
  }
}

async function undoOne(task: Task, step: Step): Promise<StepOutcome> {
  const { maxRetries, retryDelayMs } = task.terms;
  const { performStep } = proxyActivities<Activities>(acting(UNDO_MS, step.says));
  try {
    return await performStep({ taskId: task.id, step, undo: true, maxRetries, retryDelayMs });
  } catch (error) {
    const note = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    const failed = error instanceof ActivityFailure ? outcomeIn(error) : undefined;
    const { id: stepId, call, target } = step;
    return failed ?? { stepId, call, target, acted: true, reached: false, seen: {}, attempts: 1, note };
  }
}

/** True when there is something that {@link undo} would put back. */
export function canUndo(task: Task): boolean {
  const steps = new Map(task.plan?.steps.map((step) => [step.id, step]));
  return task.outcomes.some(({ acted, stepId }) => {
    const step = steps.get(stepId);
    return acted && step !== undefined && undoStep(step) !== undefined;
  });
}
