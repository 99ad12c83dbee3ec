// Waking workflows that may be behind their row: what a server that died had not kept is heard of again when it is back.
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Temporal } from '../clients/temporal.ts';
import { workflowIdOf } from '../domain/task.ts';
import { wakeSignal } from '../workflows/messages.ts';

export interface Waker {
  /** Wakes the workflow of a task as soon as Temporal answers; returns at once and never throws. */
  wake(taskId: string): void;
  close(): void;
}

const TRY_EVERY_MS = 500;
/** By then `reconcile` has come by; until then nobody makes a workflow's history longer by asking again. */
const REMEMBERED_MS = 60_000;
const MOST = 10_000;

/** Of a process that ends nothing is kept: `reconcile` wakes what is left. */
export function openWaker({ client, reach }: Pick<Temporal, 'client' | 'reach'>): Waker {
  const asked = new Map<string, { readonly forgetAt: number; heard: boolean }>();
  let timer: NodeJS.Timeout | undefined;

  const tryAll = async () => {
    for (const [id, entry] of asked) {
      if (Date.now() > entry.forgetAt) asked.delete(id);
      else if (!entry.heard) entry.heard = await signal(id);
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
    wake: (taskId) => {
      if (asked.has(taskId) || asked.size >= MOST) return;
      asked.set(taskId, { forgetAt: Date.now() + REMEMBERED_MS, heard: false });
      timer ??= setTimeout(() => void tryAll(), 0).unref();
    },
    close: () => {
      asked.clear();
      clearTimeout(timer);
    },
  };
}
