// Waiting in tests: for something that can be watched, with a bound, never for a fixed time.
import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again until `look` answers something other than undefined, null or false. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within ${timeoutMs} ms`, last === undefined ? {} : { cause: last });
    }
    await pause(25);
  }
}
