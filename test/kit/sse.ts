// A reader of server-sent events, as a browser would be: it keeps the last id, and can be cut off.
export interface ServerSentEvent {
  readonly id: string;
  readonly data: string;
}

export interface Reader {
  readonly events: ServerSentEvent[];
  /** The last id seen, also of a block without data. */
  readonly lastId: () => string;
  stop(): Promise<void>;
}

/** Follows a stream until it is stopped. */
export async function follow(url: string, lastEventId?: string): Promise<Reader> {
  const ending = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    signal: ending.signal,
  });
  if (!response.ok || !response.body) throw new Error(`follow: ${response.status} ${await response.text()}`);
  const events: ServerSentEvent[] = [];
  let last = lastEventId ?? '';
  const stream = response.body.pipeThrough(new TextDecoderStream());
  const reading = (async () => {
    let text = '';
    for await (const chunk of stream) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const id = /^id: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (id !== undefined) last = id;
        if (id !== undefined && data !== undefined) events.push({ id, data });
      }
    }
  })().catch(() => undefined);
  return {
    events,
    lastId: () => last,
    stop: async () => {
      ending.abort();
      await reading;
    },
  };
}
