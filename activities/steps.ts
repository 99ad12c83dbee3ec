// Performing one step: look, act once if the state still calls for it, and look until the cloud shows that it is so.
import { setTimeout as pause } from 'node:timers/promises';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import type { StepInput } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { Step, StepOutcome } from '../domain/plan.ts';
import { leaseModeOf } from '../domain/plan.ts';
import { workflowIdOf } from '../domain/task.ts';
import type { StepMark } from '../store/steps.ts';
import { raiseLease } from '../store/leases.ts';
import { membersOnTargets } from '../store/members.ts';
import { claimStep, findMark, markAnswered, unmark } from '../store/steps.ts';
import { attempt, isShuttingDown } from './attempt.ts';
import { lookAt } from './member-access.ts';
import type { Look, StepRunner } from './steps/runner.ts';
import { runnerOf } from './steps/runners.ts';
import type { JobParts } from './job-machine.ts';

/** Looks come quickly at first and then rarely, because EC2 counts calls. */
const FIRST_PAUSE_MS = 150;
const LONGEST_PAUSE_MS = 5_000;
/** Calls that change whether a machine runs. */
const SWITCHES: readonly Step['call'][] = ['start_instance', 'stop_instance', 'terminate_instance'];
const LOOK_MS = 5_000;
const nextPause = (ms: number) => Math.min(ms * 1.6, LONGEST_PAUSE_MS);

interface Progress {
  mark: StepMark;
  look: Look | undefined;
  /** This attempt made the call and got no answer. */
  unanswered: boolean;
  /** Since the last look the call was made. */
  acted: boolean;
}

export interface StepActivities {
  /** Performs a step; a step stopped half-way answers with `reached: false`. Throws typed failures with the outcome. */
  performStep(input: StepInput): Promise<StepOutcome>;
  /** Only looks: what a step whose worker was lost had done. */
  lookAtStep(input: { readonly taskId: string; readonly step: Step }): Promise<StepOutcome>;
}

/** The activities of steps, on a cloud and a store. */
export function stepActivities(parts: JobParts): StepActivities {
  const { postgres } = parts;
  const { db } = postgres;
  return {
    performStep: (input) => {
      const progress: Progress = {
        mark: { mine: false, answeredAt: null },
        look: undefined,
        unanswered: false,
        acted: false,
      };
      let attempts = 1;
      return attempt(
        { ...input, capacityMs: parts.policy.capacityMs },
        async (number, signal) => {
          attempts = number;
          const { taskId, step } = input;
          progress.mark = await reaching(findMark(db, taskId, step.id));
          const note = await perform(input, runnerOf(parts, taskId, step), postgres, progress, signal);
          // Who has just stopped a machine is not to be told for a minute that it runs; the sweep looks in any case.
          await showOnMembers(parts, step).catch(() => undefined);
          return outcomeOf(step, progress, attempts, note);
        },
        () => outcomeOf(input.step, progress, attempts, undefined),
      );
    },
    lookAtStep: async ({ taskId, step }) => {
      const mark = await reaching(findMark(db, taskId, step.id));
      const progress: Progress = { mark, look: undefined, unanswered: false, acted: false };
      const { mine, answeredAt } = progress.mark;
      const signal = AbortSignal.timeout(15_000);
      progress.look = await runnerOf(parts, taskId, step).look(step, { mine, answeredAt, undo: false, signal });
      return outcomeOf(step, progress, 1, 'its worker was lost; this is what the cloud shows');
    },
  };
}

/** Has the members on a machine show, and cost, what has become of it. */
async function showOnMembers(parts: JobParts, { call, target }: Step): Promise<void> {
  if (!SWITCHES.includes(call)) return;
  for (const row of await membersOnTargets(parts.postgres.db, [target])) {
    await lookAt(parts, row, AbortSignal.timeout(LOOK_MS));
  }
}

function outcomeOf(step: Step, { mark, look }: Progress, attempts: number, note: string | undefined): StepOutcome {
  return {
    stepId: step.id,
    call: step.call,
    target: step.target,
    acted: mark.mine,
    reached: look?.verdict === 'as_wanted',
    seen: look?.seen ?? {},
    attempts,
    ...(note !== undefined && { note }),
  };
}

/** Returns when the wanted state is seen, or with a note when the task was stopped on the way. */
async function perform(
  input: StepInput,
  runner: StepRunner,
  postgres: Postgres,
  progress: Progress,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { step, undo } = input;
  let prepared = false;
  for (let wait = FIRST_PAUSE_MS; ; wait = nextPause(wait)) {
    if (signal.aborted) {
      const note = stopped(progress);
      if (progress.mark.mine) await runner.halt?.(step);
      // What the call has changed is to be seen in the outcome.
      if (progress.acted) await lookNow(input, runner, progress).catch(unlessFailure);
      return note;
    }
    const look = await lookNow(input, runner, progress);
    switch (look.verdict) {
      case 'as_wanted':
        if (progress.mark.mine || runner.indifferent || undo) return undefined;
        throw new Failure('PlanSuperseded', { why: `${step.target} got there without this task` });
      case 'else':
        throw new Failure(undo ? 'TargetFailed' : 'PlanSuperseded', { why: look.why ?? 'it changed' });
      case 'failed':
        throw new Failure('TargetFailed', { why: look.why ?? 'it failed' });
      case 'unknown':
        throw new Failure('OutcomeUnknown', { why: look.why ?? 'nothing shows it' });
      case 'as_planned':
        if (progress.mark.answeredAt !== null) break;
        if (progress.unanswered) throw new Failure('CloudUnreachable', { why: 'no answer to the call, and no effect' });
        if (!prepared) {
          prepared = true;
          // It takes its time, so that whether the call is still called for is looked at anew.
          if ((await runner.prepare?.(step, signal)) === true) continue;
        }
        if (!(await act(input, runner, postgres, progress))) return 'stopped before it acted';
        wait = FIRST_PAUSE_MS;
        // What comes of a reboot may be seen for a moment only.
        continue;
      case 'on_the_way':
    }
    await pause(wait, undefined, { signal }).catch(() => undefined);
  }
}

async function lookNow({ step, undo }: StepInput, runner: StepRunner, progress: Progress): Promise<Look> {
  // The abort must not reach the look itself: its answer is what the outcome will say.
  const look = await runner.look(step, { ...progress.mark, undo, signal: AbortSignal.timeout(20_000) });
  progress.look = look;
  progress.acted = false;
  return look;
}

function unlessFailure(error: unknown): void {
  if (!(error instanceof Failure)) throw error;
}

function stopped({ mark }: Progress): string {
  if (isShuttingDown()) throw new Error('the worker is stopping');
  return mark.mine ? 'stopped while it was on the way' : 'stopped before it acted';
}

/** Makes the call, unless the task was stopped or has lost its lease: then false, or a failure. */
async function act(
  { taskId, step, undo }: StepInput,
  runner: StepRunner,
  postgres: Postgres,
  progress: Progress,
): Promise<boolean> {
  const { db } = postgres;
  const shared = leaseModeOf(step.call) === 'shared';
  const wanted = { taskId, stepId: step.id, target: step.target, shared, undo };
  const claim = await reaching(
    undo && !shared
      ? postgres.transaction(async (tx) => {
          // What was done with others is taken back alone.
          await raiseLease(tx, step.target, workflowIdOf(taskId));
          return claimStep(tx, wanted);
        })
      : claimStep(db, wanted),
  );
  if (claim.stopRequested && !undo) return false;
  if (!claim.leaseHeld) throw new Failure('LeaseLost', { target: step.target });
  const before = progress.mark;
  progress.mark = { mine: true, answeredAt: null };
  if (!claim.first && !before.mine) {
    // Another attempt of this step, lost to Temporal but alive, has set about the call since this one looked.
    progress.unanswered = true;
    return true;
  }
  progress.acted = true;
  try {
    await runner.act(step);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // The answer was lost, not the call: the next look tells.
    if (error.type === 'OutcomeUnknown') {
      progress.unanswered = true;
      return true;
    }
    progress.mark = before;
    if (!before.mine) await reaching(unmark(db, taskId, step.id));
    throw error;
  }
  progress.mark = { mine: true, answeredAt: Date.now() };
  await reaching(markAnswered(db, taskId, step.id));
  return true;
}
