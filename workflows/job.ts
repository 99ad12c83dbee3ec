// The workflow of one job, as the story it runs: a slot, the machine, launch, watch, resume after an interruption, the end.
import {
  CancellationScope,
  condition,
  continueAsNew,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { JobEnd, LaunchSeen, NewJobInput } from '../domain/activity.ts';
import type { LaunchEnd } from '../domain/job.ts';
import type { FailureType } from '../domain/failures.ts';
import { NOT_SENT } from '../domain/job-launch.ts';
import type { Round, Tries } from '../domain/job-tries.ts';
import { isGivenUp, NO_TRIES, pauseAfter, triesAfter } from '../domain/job-tries.ts';
import { nextOf } from '../domain/job.ts';
import type { TaskInput } from '../domain/task.ts';
import { workflowIdOf } from '../domain/task.ts';
import type { Words } from './job-words.ts';
import { getMachine, listen } from './job-words.ts';
import { attending, enduring, launching } from './options.ts';
import { failureOf } from './start-machine.ts';

export type RunJobInput = {
  readonly job: NewJobInput;
  /** How often it was launched before, when it goes on in a new run. */
  readonly generation?: number;
  /** True when the last of these launches is being watched. */
  readonly watching?: boolean;
  /** True when it waits until somebody starts its machine. */
  readonly waiting?: boolean;
  readonly tries?: Tries;
};

/** Runs a job to its end, over any number of interruptions. A cancellation asks it to end, and waits until it has. */
export async function runJob({ job, generation = 0, ...before }: RunJobInput): Promise<JobEnd> {
  const words = listen(job.id);
  return CancellationScope.nonCancellable(async () => {
    const { registerJob, endJob } = proxyActivities<Activities>(enduring);
    if (generation === 0) await registerJob(job);
    const end = await untilEnd(job, { generation, ...before }, words);
    if (end.state === 'completed' && job.spec.artifacts.length > 0) await collect(job);
    const { after } = await endJob({ jobId: job.id, end });
    if (after) await startTask(after.taskId, after.input);
    return end;
  });
}

/** Where it is when it goes on in a new run. */
type Place = Omit<RunJobInput, 'job'> & { readonly generation: number };

async function untilEnd(job: NewJobInput, before: Place, words: Words): Promise<JobEnd> {
  const { noteOfJob } = proxyActivities<Activities>(enduring);
  let { generation, watching = false, tries = NO_TRIES } = before;
  if (before.waiting) await untilMachineRuns(job, { generation, tries });
  for (;;) {
    const over = watching ? undefined : await getSlot(job, { generation, tries }, words);
    if (over) return over;
    const launch = watching ? await watch(job, generation) : await launchOnce(job, { generation, tries }, words);
    watching = false;
    generation = launch.generation;
    tries = triesAfter(tries, launch);
    const { end } = launch;
    const next = nextOf(end, { resume: job.spec.resume, generation });
    if (next.next === 'end') {
      const exitCode = end.kind === 'failed' ? end.exitCode : end.kind === 'completed' ? 0 : null;
      return { state: next.state, why: next.why, exitCode };
    }
    if (isGivenUp(tries, launch)) {
      return { state: 'failed', why: `Given up after ${tries.counted} tries in a row: ${next.why}`, exitCode: null };
    }
    const begun = end.kind === 'interrupted' && end.begun;
    const says = next.waits ? `${next.why} It goes on when somebody starts its machine again.` : next.why;
    await noteOfJob({ jobId: job.id, says, state: begun ? 'interrupted' : 'starting' });
    if (next.waits) await untilMachineRuns(job, { generation, tries });
    const pauseMs = pauseAfter(tries);
    // Whoever cancels it does not have to wait.
    if (pauseMs > 0) await condition(() => words.woken, pauseMs);
    await renew(job, { generation, tries });
  }
}

/** A word that was lost costs so much, ms. */
const ASK_AGAIN_MS = 5 * 60_000;

/** Waits for its turn; the end when it is over before that. */
async function getSlot(job: NewJobInput, place: Place, words: Words): Promise<JobEnd | undefined> {
  const { admitToSlot, joinLines } = proxyActivities<Activities>(enduring);
  const { firstExecutionRunId: runId, workflowId: asker } = workflowInfo();
  const since = new Date().toISOString();
  for (;;) {
    words.woken = false;
    const admission = await admitToSlot({ jobId: job.id, runId });
    if (admission.kind === 'admitted') return undefined;
    if (admission.kind === 'over') return { state: admission.state, why: admission.why, exitCode: null };
    const { target, holder } = admission;
    if (holder !== undefined) await joinLines({ leases: [{ target, mode: 'shared' }], asker, since });
    await condition(() => words.woken, holder === undefined ? ASK_AGAIN_MS : ASK_AGAIN_MS / 10);
    await renew(job, place);
  }
}

interface Launched extends Round {
  readonly generation: number;
}

/** One launch: the machine is made ready, the job is begun on it, and watched until it ends or is cut off. */
async function launchOnce(job: NewJobInput, place: Place, words: Words): Promise<Launched> {
  const jobId = job.id;
  const next = place.generation + 1;
  const none = await getMachine(job, words, () => renew(job, place));
  if (none) return { generation: next - 1, end: none, ranMs: 0, counts: false };
  const { startLaunch } = proxyActivities<Activities>(launching);
  try {
    const seen: LaunchSeen = await startLaunch({ jobId, generation: next });
    if (seen.kind === 'running') return await watch(job, seen.generation);
    // What did not come to run may never have come to the machine: the same number is tried again.
    return { generation: next - 1, end: seen, ranMs: 0, counts: true };
  } catch (error) {
    const { type, why } = failureOf(error);
    if (NOT_SENT.includes(type)) return { generation: next - 1, ranMs: 0, ...whenNotSent(next, type, why) };
    // It may have been begun, and only the machine knows.
    return watch(job, next);
  }
}

/** What ran before may run again, as soon as whoever keeps its secrets answers; what never ran is not as it should be. */
function whenNotSent(next: number, type: FailureType, why: string): Pick<Launched, 'end' | 'counts'> {
  if (next === 1) return { end: { kind: 'failed', exitCode: null, why }, counts: true };
  return { end: { kind: 'interrupted', why, begun: false, stopped: false }, counts: type !== 'SecretUnavailable' };
}

/** Watches a launch, one activity after another, until it ends or is cut off. */
async function watch(job: NewJobInput, generation: number): Promise<Launched> {
  const { watchJob } = proxyActivities<Activities>(onWatchQueue());
  const sinceMs = Date.now();
  for (;;) {
    const end = await watchJob({ jobId: job.id, generation });
    if (end.kind === 'running') await renew(job, { generation, watching: true });
    else
      return {
        generation: wasBegun(end) ? generation : generation - 1,
        end,
        ranMs: Date.now() - sinceMs,
        counts: true,
      };
  }
}

/** A number that no machine has heard of is used for the next launch. */
function wasBegun(end: LaunchEnd): boolean {
  return end.kind !== 'interrupted' || end.begun;
}

function onWatchQueue() {
  return { ...attending, taskQueue: `${workflowInfo().taskQueue}-watch` };
}

async function untilMachineRuns(job: NewJobInput, place: Place): Promise<void> {
  const { awaitJobMachine } = proxyActivities<Activities>(onWatchQueue());
  while (!(await awaitJobMachine({ jobId: job.id }))) await renew(job, { ...place, waiting: true });
}

/** Goes on in a new run when the history of this one is long; the new one finds everything as it is. */
async function renew(job: NewJobInput, place: Place): Promise<void> {
  if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof runJob>({ job, ...place });
}

/** Fetches what it made as a task of its own; that it cannot be fetched does not make the job a failure. */
async function collect({ id, tenant, memberId, spec, taskId: onBehalfOf }: NewJobInput): Promise<void> {
  const taskId = uuid4();
  const task = await startTask(taskId, {
    operation: 'receive_files',
    resource: id,
    params: { member: memberId, paths: [...spec.artifacts], start: 'never' },
    tenant,
    requestedBy: 'policy/artifacts',
    onBehalfOf,
    submittedAt: new Date().toISOString(),
  });
  const trouble = await task.result().then(
    () => undefined,
    (error: unknown) => failureOf(error).why,
  );
  const { noteArtifacts } = proxyActivities<Activities>(enduring);
  const says = trouble === undefined ? 'Its artifacts are fetched.' : `Its artifacts could not be fetched: ${trouble}`;
  await noteArtifacts({ jobId: id, taskId, says });
}

function startTask(taskId: string, input: TaskInput) {
  return startChild('runTask', {
    workflowId: workflowIdOf(taskId),
    args: [input],
    // It is a task like any other: it goes on whatever becomes of the job.
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: `${input.operation} on ${input.resource}`,
  });
}
