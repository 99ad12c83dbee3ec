// Waiting for something to be recorded: one listening connection serves everybody who waits in this process.
import type { Listener } from '../clients/postgres.ts';
import { listen } from '../clients/postgres.ts';

export interface Watch {
  /**
   * Asks `check` now and after every notice about the task, until it answers something or the time is up.
   * Returns the last answer.
   */
  until<T>(taskId: string, timeoutMs: number, check: () => Promise<T | undefined>): Promise<T | undefined>;
  /** Calls back after each batch of seals, and once in a while without one; returns how to end it. */
  onSealed(callback: () => void): () => void;
  /** Lets everybody go who waits, now and from now on: the process is about to end. */
  release(): void;
  /** Aborts when everybody is let go. */
  readonly released: AbortSignal;
  close(): Promise<void>;
}

/** Notices can be lost with their connection, so everybody also looks by himself now and then. */
const LOOK_ANYWAY_MS = 2_000;

/** Listens to the database. */
export function openWatch(url: string): Watch {
  const waiting = new Map<string, Set<() => void>>();
  const followers = new Set<() => void>();
  const release = new AbortController();

  const wake = (taskId: string) => {
    for (const resolve of waiting.get(taskId) ?? []) resolve();
  };
  const listener: Listener = listen(url, ['fermata_task', 'fermata_sealed'], (channel, payload) => {
    if (channel === 'fermata_sealed') for (const follow of followers) follow();
    else if (payload === null) for (const taskId of [...waiting.keys()]) wake(taskId);
    else wake(payload);
  });
  const timer = setInterval(() => {
    for (const follow of followers) follow();
  }, LOOK_ANYWAY_MS);
  timer.unref();

  /** Resolves with the next notice; armed before the look, so that none falls between the two. */
  const arm = (taskId: string, timeoutMs: number) => {
    let disarm: () => void = () => undefined;
    const noticed = new Promise<void>((resolve) => {
      const set = waiting.get(taskId) ?? new Set();
      waiting.set(taskId, set.add(resolve));
      const patience = setTimeout(resolve, timeoutMs);
      disarm = () => {
        clearTimeout(patience);
        set.delete(resolve);
        if (set.size === 0) waiting.delete(taskId);
      };
    });
    return { noticed, disarm };
  };

  return {
    until: async (taskId, timeoutMs, check) => {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const left = release.signal.aborted ? 0 : deadline - Date.now();
        const { noticed, disarm } = arm(taskId, Math.max(0, Math.min(left, LOOK_ANYWAY_MS)));
        try {
          const answer = await check();
          if (answer !== undefined || left <= 0) return answer;
          await noticed;
        } finally {
          disarm();
        }
      }
    },
    onSealed: (callback) => {
      followers.add(callback);
      return () => followers.delete(callback);
    },
    released: release.signal,
    release: () => {
      release.abort();
      for (const taskId of [...waiting.keys()]) wake(taskId);
    },
    close: async () => {
      clearInterval(timer);
      await listener.close();
    },
  };
}
