// Reads a request's body up to a bound, and lets the rest of a longer one pass without keeping it.
import type { IncomingMessage } from 'node:http';

const mostBytes = 65_536;

/** Undefined means too long. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    bytes += chunk.length;
    if (bytes <= mostBytes) chunks.push(chunk);
  }
  return bytes > mostBytes ? undefined : Buffer.concat(chunks).toString();
}
