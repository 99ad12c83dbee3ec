// The state of one task while its workflow runs: what was recorded last, and what somebody wishes. Only the main line records.
import type { LocalActivityOptions } from '@temporalio/workflow';
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  patched,
  proxyLocalActivities,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { RecordAnswer } from '../activities/record.ts';
import type { ReadyAnswer, RecordInput } from '../domain/activity.ts';
import type { Decision, DecisionAnswer } from '../domain/decision.ts';
import { refusalOf } from '../domain/decision.ts';
import type { EventWish, TaskEvent } from '../domain/event.ts';
import type { FailureDetails, FailureType } from '../domain/failures.ts';
import { failureText } from '../domain/failures.ts';
import type { Plan, StepOutcome } from '../domain/plan.ts';
import { searchValue } from '../domain/search.ts';
import type { TaskInput, Terms } from '../domain/task.ts';
import { isTerminal, taskIdOf } from '../domain/task.ts';
import type { TaskView } from './messages.ts';
import { recording } from './options.ts';

/** How a workflow ends on purpose; `type` is one of the table, so that callers can tell it from a bug. */
export function refused(type: FailureType, details: FailureDetails): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message: failureText(type, details),
    nonRetryable: true,
    details: [details],
  });
}

export class Task {
  readonly input: TaskInput;
  readonly id: string;
  /** What became of the steps so far, in the order in which they ended. */
  readonly outcomes: StepOutcome[] = [];
  plan: Plan | undefined;
  /** The last recorded event. */
  event: TaskEvent | undefined;
  /** The last answer of `record`, for its clock, its terms and its stop mark. */
  answer: RecordAnswer | undefined;
  /** A decision that came in and is not recorded yet. */
  wish: Decision | undefined;
  /** The decision that was recorded, and when. */
  decision: Decision | undefined;
  decidedAt: string | undefined;
  /** Set when the store may be ahead of this workflow. */
  woken = false;
  deadlineHit = false;
  /** True once the task is being closed: then a stop mark changes how, but no longer whether. */
  ending = false;
  /** True once Temporal has delivered a request to cancel. */
  cancelled = false;
  /** What `readyMember` last said of the member that the plan needs. */
  ready: ReadyAnswer | undefined;
  /** Set when a target that it waits for seems to be free. */
  leaseFree = false;
  /** Attempts of a read or of planning, which have no steps. */
  attempts = 1;
  private readonly work: Pick<Activities, 'record'>;
  private readonly ignored: string[] = [];

  constructor(input: TaskInput, options: LocalActivityOptions = recording) {
    this.input = input;
    this.work = proxyLocalActivities<Activities>(options);
    const { workflowId } = workflowInfo();
    const id = taskIdOf(workflowId);
    if (id === undefined) throw refused('TaskIdInvalid', { id: workflowId });
    this.id = id;
    CancellationScope.current().cancelRequested.catch(() => {
      this.cancelled = true;
    });
  }

  get terms(): Terms {
    if (!this.answer) throw refused('Internal', {});
    return this.answer.terms;
  }

  get closed(): boolean {
    return this.event !== undefined && isTerminal(this.event.to);
  }

  private get undecided(): boolean {
    return this.decision === undefined && !this.closed;
  }

  view(): TaskView {
    return {
      status: this.event?.to ?? 'PENDING',
      phase: this.event?.phase ?? 'planning',
      reason: this.event?.reason ?? null,
      planDigest: this.plan?.digest ?? null,
      seq: this.event?.seq ?? 0,
    };
  }

  /**
   * Records the next event and goes on from the one that comes back, which may be another than was wished: the first
   * one committed wins. Null when nothing was recorded. A cancellation never interrupts it. Throws `TaskTerminated`
   * when somebody asked the task to stop, so that nothing else can be recorded.
   */
  async record(wish: EventWish | null): Promise<TaskEvent | null> {
    const input = this.recording(wish);
    return this.goOn(await CancellationScope.nonCancellable(() => this.work.record(input)), wish);
  }

  /** All that is needed to record the next event, by whom it may be. */
  recording(wish: EventWish | null): RecordInput {
    return {
      taskId: this.id,
      runId: workflowInfo().firstExecutionRunId,
      input: this.input,
      seq: (this.event?.seq ?? 0) + 1,
      wish:
        wish && this.ignored.length > 0
          ? { ...wish, says: `${wish.says} (${this.ignored.splice(0).join('; ')})` }
          : wish,
      ...(this.plan && { facts: this.plan.facts }),
    };
  }

  /** Goes on from what was recorded; see {@link record}. */
  goOn(answer: RecordAnswer, wish: EventWish | null): TaskEvent | null {
    this.answer = answer;
    const { event, stop } = answer;
    if (!event && wish && stop && !this.ending) throw refused('TaskTerminated', { id: this.id, by: stop.by });
    if (event) {
      this.event = event;
      this.show(event);
    }
    return event;
  }

  /** Milliseconds until `approveBy`, by the database's clock; at least 1, because a timer of 0 means none. */
  msLeft(): number {
    const { approveBy } = this.event?.detail ?? {};
    if (approveBy === undefined || !this.answer) return 1;
    return Math.max(1, Date.parse(approveBy) - Date.parse(this.answer.now) + 1);
  }

  /** True when the time for a decision is over, by the database's clock; its end may not be recorded yet. */
  private overdue(): boolean {
    const { approveBy } = this.event?.detail ?? {};
    return approveBy !== undefined && this.answer !== undefined && Date.parse(this.answer.now) > Date.parse(approveBy);
  }

  /** Why a decision is refused now; the validator of the update, and the signal's first question. */
  refusalOf(decision: Decision) {
    return refusalOf(decision, {
      taskId: this.id,
      awaiting: this.event?.to === 'AWAITING_CONFIRMATION',
      planDigest: this.plan?.digest,
      decided: this.wish ?? this.decision,
    });
  }

  /** Hands a decision to the main line and waits until it is recorded. Throws when it was too late or something else won. */
  async decide(decision: Decision): Promise<DecisionAnswer> {
    while (this.undecided) {
      this.wish ??= decision;
      const pending = this.wish;
      await CancellationScope.nonCancellable(() => condition(() => this.wish !== pending || this.closed));
      // An earlier one that came too late takes nothing from one that is in time.
      if (pending === decision || !this.undecided || !patched('own-turn')) break;
    }
    const made = this.decision;
    if (!made || !this.decidedAt) {
      throw refused(this.closed || this.overdue() ? 'NotAwaitingConfirmation' : 'DecisionUnanswered', { id: this.id });
    }
    if (made.approve !== decision.approve || made.by !== decision.by) {
      throw refused('AlreadyDecided', { id: this.id, by: made.by, decision: made.approve ? 'approved' : 'rejected' });
    }
    return { approved: made.approve, by: made.by, at: this.decidedAt, planDigest: this.plan?.digest ?? '' };
  }

  /** Notes something that came in and was not used; the next event says so. Bounded, since anybody can send signals. */
  ignore(why: string): void {
    if (this.ignored.length < 5) this.ignored.push(`ignored a signal: ${why}`);
  }

  private show(event: TaskEvent): void {
    const { decision } = event.detail;
    if (decision) {
      this.decision = decision;
      this.decidedAt = event.at;
    }
    setCurrentDetails(detailsOf(event, this.plan));
    if (this.input.withoutSearchAttributes === true || this.answer?.withoutSearchAttributes === true) return;
    const { searchAttributes } = workflowInfo();
    const first = event.seq === 1 && searchAttributes.Operation === undefined;
    const current = searchAttributes.TaskStatus?.[0];
    if (first) {
      upsertSearchAttributes({
        TaskStatus: [event.to],
        Operation: [searchValue(this.input.operation)],
        Resource: [searchValue(this.input.resource)],
        Tenant: [searchValue(event.tenant)],
        Risk: [this.terms.risk],
      });
    } else if (current !== event.to) {
      upsertSearchAttributes({ TaskStatus: [event.to] });
    }
  }
}

/** What the Web UI shows on top of the workflow, in Markdown. */
function detailsOf(event: TaskEvent, plan: Plan | undefined): string {
  const lines = [
    `**${event.to}** (${event.phase}${event.reason === null ? '' : `, ${event.reason}`})`,
    '',
    event.detail.says,
  ];
  if (plan) {
    lines.push('', `Plan \`${plan.digest}\`: ${plan.says}`, '', ...plan.steps.map(({ says }) => `1. ${says}`));
  }
  return lines.join('\n').slice(0, 15_000);
}
