// The last look before a mutating call: the stop mark, the lease, and the mark that says this task has set about it.
import { and, eq, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { workflowIdOf } from '../domain/task.ts';
import { stepMarks } from './schema.ts';

export interface StepClaim {
  /** False when the lease is gone: the call must not be made. */
  readonly leaseHeld: boolean;
  /** True when somebody asked the task to stop: the call must not be made, unless it undoes. */
  readonly stopRequested: boolean;
  /** False when another attempt had set about it before. */
  readonly first: boolean;
}

export interface StepMark {
  /** An earlier attempt has set about the call. */
  readonly mine: boolean;
  /** When the cloud answered it with a success, ms since 1970. */
  readonly answeredAt: number | null;
}

/** What earlier attempts of this step left behind. */
export async function findMark(db: Queries, taskId: string, stepId: string): Promise<StepMark> {
  const [mark] = await db.select({ answeredAt: stepMarks.answeredAt }).from(stepMarks).where(stepIs(taskId, stepId));
  return { mine: mark !== undefined, answeredAt: mark?.answeredAt?.getTime() ?? null };
}

/** Notes that the call was answered: what an attempt after a lost worker needs to know where nothing else shows it. */
export async function markAnswered(db: Queries, taskId: string, stepId: string): Promise<void> {
  await db
    .update(stepMarks)
    .set({ answeredAt: sql`clock_timestamp()` })
    .where(stepIs(taskId, stepId));
}

/** Takes the mark back after the cloud refused the call for certain: it had no effect. */
export async function unmark(db: Queries, taskId: string, stepId: string): Promise<void> {
  await db.delete(stepMarks).where(stepIs(taskId, stepId));
}

function stepIs(taskId: string, stepId: string) {
  return and(eq(stepMarks.taskId, taskId), eq(stepMarks.stepId, stepId));
}

/**
 * Marks a step as set about and reads, in the same statement, what may still forbid it. The mark is written only when
 * nothing does.
 */
export async function claimStep(
  db: Queries,
  step: {
    readonly taskId: string;
    readonly stepId: string;
    readonly target: string;
    readonly shared: boolean;
    readonly undo: boolean;
  },
): Promise<StepClaim> {
  const { taskId, stepId, target, shared, undo } = step;
  const holder = workflowIdOf(taskId);
  const { rows } = await db.execute<{ held: boolean; stopped: boolean; first: boolean }>(sql`
    with state as (
      select t.stop_requested_at is not null as stopped,
             exists (select 1 from leases l where l.target = ${target} and l.holder = ${holder})
               and (${shared} or not exists (
                 select 1 from leases o where o.target = ${target} and o.holder <> ${holder})) as held
      from tasks t where t.id = ${taskId}
    ), marked as (
      insert into step_marks (task_id, step_id, marked_at)
      select ${taskId}, ${stepId}, clock_timestamp() from state
      where state.held and (${undo} or not state.stopped)
      on conflict do nothing returning 1
    )
    select held, stopped, exists (select 1 from marked) as first from state`);
  const [state] = rows;
  return {
    leaseHeld: state?.held ?? false,
    stopRequested: state?.stopped ?? false,
    first: state?.first ?? false,
  };
}
