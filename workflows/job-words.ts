// What is said to the workflow of a job, and how it gets its machine by it.
import { CancellationScope, condition, proxyActivities, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { NewJobInput, ReadyAnswer, ReadyWish } from '../domain/activity.ts';
import type { FailureType } from '../domain/failures.ts';
import type { LaunchEnd } from '../domain/job.ts';
import { askAgainAfter } from '../domain/job-tries.ts';
import { leaseFreeSignal, readySignal, wakeSignal } from './messages.ts';
import { enduring } from './options.ts';
import { failureOf } from './start-machine.ts';

export interface Words {
  /** Something that it waits for may have come. */
  woken: boolean;
  ready: ReadyAnswer | undefined;
}

/** Listens to signals; a cancellation of the workflow asks the job to end. */
export function listen(jobId: string): Words {
  const words: Words = { woken: false, ready: undefined };
  setHandler(wakeSignal, () => void (words.woken = true));
  setHandler(leaseFreeSignal, () => void (words.woken = true));
  setHandler(readySignal, (answer) => void (words.ready = answer));
  const { cancelJob } = proxyActivities<Activities>(enduring);
  CancellationScope.current().cancelRequested.catch(async () => {
    await CancellationScope.nonCancellable(() => cancelJob({ jobId, by: 'temporal' }));
    words.woken = true;
  });
  return words;
}

const GONE: readonly FailureType[] = ['MemberUnusable', 'MemberNotFound', 'TargetNotFound'];

/** Returns when the machine is ready, or what that means for the job when it cannot be had now. `between` may end the run. */
export async function getMachine(
  { memberId, taskId, spec }: NewJobInput,
  words: Words,
  between: () => Promise<void>,
): Promise<LaunchEnd | undefined> {
  const { workflowId: asker } = workflowInfo();
  const start = spec.start === 'if_stopped';
  const answer = await ask({ memberId, asker, start, onBehalfOf: taskId }, words, between);
  if (answer.ok) return undefined;
  const { type, why } = answer;
  if (GONE.includes(type)) return { kind: 'lost', why };
  if (type === 'ConfirmationRejected') return { kind: 'failed', exitCode: null, why };
  return { kind: 'interrupted', why, begun: false, stopped: type === 'MemberStopped' };
}

async function ask(wish: ReadyWish, words: Words, between: () => Promise<void>): Promise<ReadyAnswer> {
  const { askReady } = proxyActivities<Activities>(enduring);
  words.ready = undefined;
  words.woken = false;
  for (let times = 0; ; times += 1) {
    try {
      if ((await askReady(wish)).ready) return { ok: true, note: null };
    } catch (error) {
      return { ok: false, ...failureOf(error) };
    }
    await condition(() => words.ready !== undefined || words.woken, askAgainAfter(times));
    if (words.ready !== undefined) return words.ready;
    if (words.woken) return { ok: false, type: 'MemberNotReady', why: 'It was called while its machine got ready.' };
    await between();
  }
}
