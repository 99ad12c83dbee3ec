// Recording a transition: the worker's own catalogue and config judge the input anew, then the store decides.
import { ApplicationFailure } from '@temporalio/activity';
import type { Postgres } from '../clients/postgres.ts';
import { isUnreachable } from '../clients/postgres.ts';
import type { RecordInput } from '../domain/activity.ts';
import type { EventWish } from '../domain/event.ts';
import { Failure } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import { termsOf } from '../domain/policy.ts';
import { parseTaskInput } from '../domain/task-input.ts';
import type { Prepared } from '../operations/index.ts';
import { operationOf } from '../operations/index.ts';
import type { Recorded } from '../store/record.ts';
import { recordEvent } from '../store/record.ts';

export type RecordAnswer = Recorded & { readonly withoutSearchAttributes?: boolean };

export interface RecordActivities {
  /** Records an event, or finds the one that was recorded first; see `recordEvent` for what it promises. */
  record(input: RecordInput): Promise<RecordAnswer>;
}

interface RecordParts {
  readonly postgres: Postgres;
  readonly policy: Policy;
  readonly withSearchAttributes: boolean;
}

/** The local activity that every transition goes through. */
export function recordActivities({ postgres, policy, withSearchAttributes }: RecordParts): RecordActivities {
  return {
    record: async ({ taskId: id, runId, input: raw, seq, wish, facts }) => {
      try {
        const input = parseTaskInput(raw);
        const operation = operationOf(input.operation);
        const prepared = operation.prepare(input.params);
        const least = prepared.effect === 'read' ? 0 : prepared.deadlineMs;
        const terms = termsOf(operation, policy, input.risk, least);
        const task = { id, input, risk: terms.risk, effect: terms.effect };
        const worded = wish && withResult(wish, prepared, id, facts ?? {});
        const recorded = await recordEvent(postgres, { task, terms, runId, seq, wish: worded });
        // A task that was started by hand does not know what its namespace may have.
        return withSearchAttributes ? recorded : { ...recorded, withoutSearchAttributes: true };
      } catch (error) {
        throw atTheEdge(error);
      }
    },
  };
}

/** A completed change words its result here, where the catalogue is; a read brings its own. */
function withResult(wish: EventWish, prepared: Prepared, taskId: string, facts: RecordInput['facts']): EventWish {
  if (wish.to !== 'COMPLETED' || wish.result || prepared.effect === 'read') return wish;
  const outcomes = wish.outcomes ?? [];
  return { ...wish, result: prepared.result({ taskId, facts: facts ?? {}, outcomes }) };
}

function atTheEdge(error: unknown): unknown {
  if (error instanceof Failure) {
    const { type, message } = error;
    return ApplicationFailure.create({ type, message, nonRetryable: true });
  }
  if (!isUnreachable(error)) return error;
  return ApplicationFailure.create({
    type: 'StoreUnavailable',
    message: 'PostgreSQL does not answer',
    nonRetryable: false,
  });
}
