// Waking workflows that may be behind their row: what a server that died had not kept is heard of again when it is back.
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Temporal } from '../clients/temporal.ts';
import { workflowIdOf } from '../domain/task.ts';
import { wakeSignal } from '../workflows/messages.ts';

export interface Waker {
  /** Wakes the workflow of a task, in `delayMs` at the earliest and then once Temporal answers; never throws. */
  wake(taskId: string, delayMs?: number): void;
  close(): void;
}

const TRY_EVERY_MS = 500;
/** By then `reconcile` has come by; until then a workflow that was woken is woken again only for something new. */
const REMEMBERED_MS = 60_000;
const MOST = 10_000;

interface Asked {
  readonly notBefore: number;
  readonly forgetAt: number;
  readonly heard: boolean;
}

/** Of a process that ends nothing is kept: `reconcile` wakes what is left. */
export function openWaker({ client, reach }: Pick<Temporal, 'client' | 'reach'>): Waker {
  const asked = new Map<string, Asked>();
  let timer: NodeJS.Timeout | undefined;

  const tryAll = async () => {
    for (const [id, entry] of asked) {
      const now = Date.now();
      if (now > entry.forgetAt) asked.delete(id);
      else if (!entry.heard && now >= entry.notBefore && (await signal(id)) && asked.get(id) === entry)
        asked.set(id, { ...entry, heard: true });
    }
    timer = asked.size > 0 ? setTimeout(() => void tryAll(), TRY_EVERY_MS).unref() : undefined;
  };
  const signal = (id: string) =>
    reach(() => client.workflow.getHandle(workflowIdOf(id)).signal(wakeSignal)).then(
      () => true,
      // One that has ended needs no waking; anything else is tried again.
      (error: unknown) => error instanceof WorkflowNotFoundError,
    );

  return {
    wake: (taskId, delayMs = 0) => {
      const known = asked.get(taskId);
      if (known ? delayMs === 0 : asked.size >= MOST) return;
      const now = Date.now();
      asked.set(taskId, { notBefore: now + delayMs, forgetAt: now + REMEMBERED_MS, heard: false });
      timer ??= setTimeout(() => void tryAll(), 0).unref();
    },
    close: () => {
      asked.clear();
      clearTimeout(timer);
    },
  };
}
