// Events as they are sealed, as server-sent events: a reconnect with Last-Event-ID loses nothing and repeats nothing.
import { once } from 'node:events';
import type { Response } from 'express';
import { Failure } from '../domain/failures.ts';
import type { Service } from '../service/open.ts';
import { getHead, getSealed } from '../service/tasks.ts';
import { eventOf } from './wire.ts';

const PAGE = 200;
/** Proxies close what is silent for a minute. */
const KEEP_ALIVE_MS = 15_000;
/** A reader who does not read for this long has gone; its connection is closed, and it may come back by its last id. */
const SLOW_MS = 30_000;
const MOST_FOLLOWERS = 200;
let followers = 0;

/** Follows a tenant's events from after a position on, or from now; ends when the client goes. */
export async function follow(
  service: Service,
  { tenant, after }: { readonly tenant: string; readonly after: number | undefined },
  response: Response,
): Promise<void> {
  if (followers >= MOST_FOLLOWERS) throw new Failure('TooManyFollowers', { limit: MOST_FOLLOWERS });
  followers += 1;
  const gone = new AbortController();
  const leave = () => gone.abort();
  // Before anything is waited for: a client may leave at any moment.
  response.once('close', leave);
  service.watch.released.addEventListener('abort', leave);
  let wake: () => void = () => undefined;
  gone.signal.addEventListener('abort', () => wake(), { once: true });
  const unfollow = service.watch.onSealed(() => wake());
  const beat = setInterval(() => response.headersSent && response.write(': still here\n\n'), KEEP_ALIVE_MS);
  try {
    let position = after ?? (await getHead(service, tenant));
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    // An id without data: whoever is cut off before the first event can come back to this place.
    await write(response, `id: ${position}\n\n`, gone.signal);
    while (!gone.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const page = await getSealed(service, tenant, position, PAGE).catch(() => []);
      for (const { position: at, event } of page) {
        await write(response, `id: ${at}\nevent: task\ndata: ${JSON.stringify(eventOf(event))}\n\n`, gone.signal);
        position = at;
      }
      if (page.length === 0 && !gone.signal.aborted) await woken;
    }
    response.end();
  } finally {
    followers -= 1;
    clearInterval(beat);
    unfollow();
    service.watch.released.removeEventListener('abort', leave);
  }
}

async function write(response: Response, text: string, gone: AbortSignal): Promise<void> {
  if (gone.aborted || response.write(text)) return;
  const slow = new AbortController();
  const giveUp = () => slow.abort();
  const patience = setTimeout(giveUp, SLOW_MS);
  gone.addEventListener('abort', giveUp);
  await once(response, 'drain', { signal: slow.signal }).catch(() => response.destroy());
  clearTimeout(patience);
  gone.removeEventListener('abort', giveUp);
}
