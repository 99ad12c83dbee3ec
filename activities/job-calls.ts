// Waiting to look at a job again: for a while, or until somebody asks something of it, which one query tells for all jobs.
import type { Postgres } from '../clients/postgres.ts';
import { calledJobs } from '../store/job-calls.ts';

export interface JobCalls {
  /** Returns after `ms`, or soon after somebody asked something of the job, or when the signal aborts. */
  untilCalled(jobId: string, ms: number, signal: AbortSignal): Promise<void>;
}

const ASK_EVERY_MS = 1_000;

/** One for all jobs that a worker watches. */
export function openJobCalls({ db }: Postgres): JobCalls {
  const sleepers = new Map<string, () => void>();
  let timer: NodeJS.Timeout | undefined;

  const ask = async () => {
    // When PostgreSQL is away nobody is woken, and each looks again when its time has come.
    const called = await calledJobs(db, [...sleepers.keys()]).catch(() => []);
    for (const id of called) sleepers.get(id)?.();
    timer = sleepers.size === 0 ? undefined : setTimeout(() => void ask(), ASK_EVERY_MS);
  };

  return {
    untilCalled: (jobId, ms, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          clearTimeout(alarm);
          signal.removeEventListener('abort', wake);
          if (sleepers.get(jobId) === wake) sleepers.delete(jobId);
          resolve();
        };
        const alarm = setTimeout(wake, ms);
        signal.addEventListener('abort', wake);
        sleepers.get(jobId)?.();
        sleepers.set(jobId, wake);
        if (signal.aborted) wake();
        timer ??= setTimeout(() => void ask(), ASK_EVERY_MS);
      }),
  };
}
