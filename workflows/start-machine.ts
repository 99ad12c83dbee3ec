// Starts the machine of a member as a task of its own, so that it is gated, recorded and listed like any other.
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  ParentClosePolicy,
  startChild,
  uuid4,
} from '@temporalio/workflow';
import type { MemberLook } from '../domain/activity.ts';
import type { FailureType } from '../domain/failures.ts';
import { isFailureType } from '../domain/failures.ts';
import type { TaskInput } from '../domain/task.ts';
import { workflowIdOf } from '../domain/task.ts';

export interface Refusal {
  readonly type: FailureType;
  readonly why: string;
}

/** Returns when the machine runs, or why it does not. `onBehalfOf` is the task whose plan needs it. */
export async function startMachine(
  { name, tenant, instanceId }: MemberLook,
  onBehalfOf: string | undefined,
): Promise<Refusal | undefined> {
  const input: TaskInput = {
    operation: 'start_instance',
    resource: name,
    params: { instance_id: instanceId },
    tenant,
    requestedBy: 'policy/ready',
    submittedAt: new Date().toISOString(),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  };
  try {
    const task = await startChild('runTask', {
      workflowId: workflowIdOf(uuid4()),
      args: [input],
      // It is a task like any other: it goes on whatever becomes of who asked.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `start_instance on ${name}`,
    });
    await task.result();
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

/** A failure of an activity or of a task, in the words of the table. Anything else is a bug, and thrown on. */
export function failureOf(error: unknown): Refusal {
  const cause = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    return { type: isFailureType(cause.type) ? cause.type : 'MemberNotReady', why: cause.message };
  }
  if (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) {
    return { type: 'MemberNotReady', why: cause instanceof Error ? cause.message : error.message };
  }
  throw error;
}
