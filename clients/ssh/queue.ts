// Who waits for a channel to one address: in the order of their coming, each with a patience of their own.
import { Failure } from '../../domain/failures.ts';
import type { Link } from './link.ts';
import { leftUntil } from './waiting.ts';

/** A command, or the link of a machine behind this one. */
export type Use = 'command' | 'tunnel';

export interface Slot {
  readonly link: Link;
  /** Gives it back; a second time does nothing. */
  release(): void;
  /** Gives it back since the server opened no channel. False when there is nothing to wait for. */
  refused(): boolean;
}

/** Moments of `performance.now()`. One who comes back is in the place of the first coming. */
export interface Patience {
  readonly sinceMs: number;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  readonly use: Use;
  readonly sinceMs: number;
  give(slot: Slot): void;
  fail(error: unknown): void;
}

export interface Queue {
  size(): number;
  /** Waits for a slot. Throws `tooLate()` at the deadline, and `SshUnreachable` when it is given up. */
  enter(use: Use, patience: Patience, tooLate: () => Failure): Promise<Slot>;
  /** Gives slots to those whom `slotFor` has one for. */
  serve(slotFor: (use: Use) => Slot | undefined): void;
  failAll(error: unknown): void;
}

/** `host` is for the words of failures. */
export function openQueue(host: string): Queue {
  const waiting: Waiter[] = [];
  return {
    size: () => waiting.length,
    enter: (use, { sinceMs, deadlineMs, signal }, tooLate) =>
      new Promise<Slot>((resolve, reject) => {
        const leave = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', giveUp);
          const at = waiting.indexOf(waiter);
          if (at >= 0) waiting.splice(at, 1);
        };
        const waiter: Waiter = {
          use,
          sinceMs,
          give: (slot) => {
            leave();
            resolve(slot);
          },
          fail: (error) => {
            leave();
            reject(error);
          },
        };
        const giveUp = () =>
          waiter.fail(new Failure('SshUnreachable', { host, why: 'given up before anything was sent' }));
        const timer = setTimeout(() => waiter.fail(tooLate()), leftUntil(deadlineMs));
        signal?.addEventListener('abort', giveUp, { once: true });
        if (signal?.aborted) return giveUp();
        const later = waiting.findIndex((other) => other.sinceMs > sinceMs);
        waiting.splice(later < 0 ? waiting.length : later, 0, waiter);
      }),
    serve: (slotFor) => {
      for (const waiter of [...waiting]) {
        const slot = slotFor(waiter.use);
        if (slot) waiter.give(slot);
      }
    },
    failAll: (error) => {
      for (const waiter of [...waiting]) waiter.fail(error);
    },
  };
}
