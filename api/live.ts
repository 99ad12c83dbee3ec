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

export interface Stream {
  /** Aborts when the reader goes, or the API stops. */
  readonly gone: AbortSignal;
  /** Waits for a reader who is slow, so that memory does not grow; one who does not read any more is cut off. */
  write(text: string): Promise<void>;
}

/** Keeps a stream of server-sent events open for as long as `work` goes on. Throws `TooManyFollowers`. */
export async function streaming(
  service: Service,
  response: Response,
  work: (stream: Stream) => Promise<void>,
): Promise<void> {
  if (followers >= MOST_FOLLOWERS) throw new Failure('TooManyFollowers', { limit: MOST_FOLLOWERS });
  followers += 1;
  const gone = new AbortController();
  const leave = () => gone.abort();
  // Before anything is waited for: a client may leave at any moment.
  response.once('close', leave);
  service.watch.released.addEventListener('abort', leave);
  const beat = setInterval(() => response.headersSent && response.write(': still here\n\n'), KEEP_ALIVE_MS);
  try {
    await work({
      gone: gone.signal,
      write: async (text) => {
        if (!response.headersSent) response.set(STREAM_HEADERS);
        await write(response, text, gone.signal);
      },
    });
    response.end();
  } finally {
    followers -= 1;
    clearInterval(beat);
    service.watch.released.removeEventListener('abort', leave);
  }
}

const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
} as const;

/** Follows a tenant's events from after a position on, or from now; ends when the client goes. */
export function follow(
  service: Service,
  { tenant, after }: { readonly tenant: string; readonly after: number | undefined },
  response: Response,
): Promise<void> {
  return streaming(service, response, async ({ gone, write: send }) => {
    let wake: () => void = () => undefined;
    gone.addEventListener('abort', () => wake(), { once: true });
    const unfollow = service.watch.onSealed(() => wake());
    try {
      let position = after ?? (await getHead(service, tenant));
      // An id without data: whoever is cut off before the first event can come back to this place.
      await send(`id: ${position}\n\n`);
      while (!gone.aborted) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const page = await getSealed(service, tenant, position, PAGE).catch(() => []);
        for (const { position: at, event } of page) {
          await send(`id: ${at}\nevent: task\ndata: ${JSON.stringify(eventOf(event))}\n\n`);
          position = at;
        }
        if (page.length === 0 && !gone.aborted) await woken;
      }
    } finally {
      unfollow();
    }
  });
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
