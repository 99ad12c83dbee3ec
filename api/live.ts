// Events as they are sealed, as server-sent events: a reconnect with Last-Event-ID loses nothing and repeats nothing.
import { once } from 'node:events';
import type { Request, Response } from 'express';
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
  request: Request,
  response: Response,
): Promise<void> {
  if (followers >= MOST_FOLLOWERS) throw new Failure('TooManyFollowers', { limit: MOST_FOLLOWERS });
  let position = after ?? (await getHead(service, tenant));
  const gone = new AbortController();
  request.once('close', () => gone.abort());
  response.once('close', () => gone.abort());
  followers += 1;
  response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  let wake: () => void = () => undefined;
  const unfollow = service.watch.onSealed(() => wake());
  const beat = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
  try {
    // An id without data: whoever is cut off before the first event can come back to this place.
    await write(response, `id: ${position}\n\n`, gone.signal);
    while (!gone.signal.aborted) {
      const sealed = new Promise<void>((resolve) => {
        wake = resolve;
        gone.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      const page = await getSealed(service, tenant, position, PAGE).catch(() => []);
      for (const { position: at, event } of page) {
        await write(response, `id: ${at}\nevent: task\ndata: ${JSON.stringify(eventOf(event))}\n\n`, gone.signal);
        position = at;
      }
      if (page.length === 0) await sealed;
    }
  } finally {
    followers -= 1;
    clearInterval(beat);
    unfollow();
    response.end();
  }
}

async function write(response: Response, text: string, gone: AbortSignal): Promise<void> {
  if (gone.aborted || response.write(text)) return;
  const signal = AbortSignal.any([gone, AbortSignal.timeout(SLOW_MS)]);
  await once(response, 'drain', { signal }).catch(() => response.destroy());
}
