// What is said to the workflow of a job, and how it gets its machine by it.
import { CancellationScope, condition, proxyActivities, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { NewJobInput, ReadyAnswer, ReadyWish } from '../domain/activity.ts';
import type { FailureType } from '../domain/failures.ts';
import type { LaunchEnd } from '../domain/job.ts';
import { leaseFreeSignal, readySignal, wakeSignal } from './messages.ts';
import { looking } from './options.ts';

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
  const { cancelJob } = proxyActivities<Activities>(looking);
  CancellationScope.current().cancelRequested.catch(async () => {
    await CancellationScope.nonCancellable(() => cancelJob({ jobId, by: 'temporal' }));
    words.woken = true;
  });
  return words;
}

/** A word that was lost costs so much, ms. */
const ASK_AGAIN_MS = 60_000;
const FIRST_PAUSE_MS = 10_000;
/** Longest pause between two tries to get the machine back. */
const LONGEST_PAUSE_MS = 15 * 60_000;

/** After these no other try can help. */
const FINAL: readonly FailureType[] = [
  'ConfirmationRejected',
  'CloudAuth',
  'SshAuth',
  'SshKeyRefused',
  'HostKeyChanged',
];
const GONE: readonly FailureType[] = ['MemberUnusable', 'MemberNotFound', 'TargetNotFound'];

/** Returns when the machine is ready, or how the job ends without it. One that cannot be had now is asked for again. */
export async function getMachine(
  { id: jobId, memberId, taskId, spec }: NewJobInput,
  words: Words,
  untilItRuns: () => Promise<void>,
): Promise<LaunchEnd | undefined> {
  const { admitToSlot, noteOfJob } = proxyActivities<Activities>(looking);
  const { workflowId: asker, firstExecutionRunId: runId } = workflowInfo();
  const wish: ReadyWish = { memberId, asker, start: spec.start === 'if_stopped', onBehalfOf: taskId };
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const answer = await ask(wish, words);
    if (answer.ok) return undefined;
    const { type, why } = answer;
    if (GONE.includes(type)) return { kind: 'lost', why };
    if (FINAL.includes(type)) return { kind: 'failed', exitCode: null, why };
    await noteOfJob({ jobId, says: why, interrupted: false });
    if (type === 'MemberStopped') await untilItRuns();
    else {
      words.woken = false;
      await Promise.race([sleep(pauseMs), condition(() => words.woken)]);
    }
    const admission = await admitToSlot({ jobId, runId });
    if (admission.kind === 'over') return { kind: 'cancelled' };
  }
}

async function ask(wish: ReadyWish, words: Words): Promise<ReadyAnswer> {
  const { askReady } = proxyActivities<Activities>(looking);
  words.ready = undefined;
  words.woken = false;
  for (;;) {
    const { ready } = await askReady(wish);
    if (ready) return { ok: true, note: null };
    await condition(() => words.ready !== undefined || words.woken, ASK_AGAIN_MS);
    if (words.ready !== undefined) return words.ready;
    if (words.woken) return { ok: false, type: 'MemberNotReady', why: 'It was called while its machine got ready.' };
  }
}
