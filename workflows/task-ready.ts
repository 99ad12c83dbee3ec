// How a task gets the member that its plan needs: it asks the workflow that makes it ready, and waits to be told.
import { ApplicationFailure, condition, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { ReadyWish } from '../domain/activity.ts';
import type { Needs } from '../domain/plan.ts';
import { looking } from './options.ts';
import type { Task } from './task-state.ts';

/** An answer may be lost with whoever was to send it; asking again attaches to the same run. */
const ASK_AGAIN_MS = 60_000;

/** Returns when the member is ready. Throws why it does not get ready; the deadline of execution bounds the wait. */
export async function getReady(task: Task, { memberId, start, provision }: Needs): Promise<void> {
  const { askReady } = proxyActivities<Activities>(looking);
  const wish: ReadyWish = {
    memberId,
    asker: workflowInfo().workflowId,
    start: start === 'if_stopped',
    ...(provision && { provision }),
  };
  const { ready } = await askReady(wish);
  if (ready) return;
  await task.record({ to: 'RUNNING', phase: 'getting_ready', says: 'Waits for the machine to be ready.' });
  while (!(await condition(() => task.ready !== undefined, ASK_AGAIN_MS))) await askReady(wish);
  const answer = task.ready;
  if (answer?.ok === false) {
    const { type, why: message } = answer;
    throw ApplicationFailure.create({ type, message, nonRetryable: true });
  }
  const flaw = answer?.note ?? null;
  await task.record({ to: 'RUNNING', phase: 'executing', says: flaw === null ? 'Ready.' : `Ready, but ${flaw}` });
}
