// Heartbeats as long as some work goes on, so that a lost worker is noticed and a cancellation arrives.
import { Context } from '@temporalio/activity';

const HEARTBEAT_MS = 2_000;

/** Heartbeats as long as the work goes on, so that a lost worker is noticed. */
export async function heartbeating<T>(work: () => Promise<T>, everyMs = HEARTBEAT_MS): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
