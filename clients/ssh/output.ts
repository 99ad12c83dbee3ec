// What a command writes, kept up to a cap and counted beyond it, as text that can be stored.
import { storable } from '../../domain/text.ts';

export interface Kept {
  add(chunk: Uint8Array): void;
  /** What was kept; to be asked for when no more is added. */
  text(): string;
  /** All of it, also what was not kept. */
  bytes(): number;
  isTruncated(): boolean;
}

/** Keeps the first `capBytes` bytes as UTF-8. A character may come in pieces; one that the cap cuts is left out. */
export function keep(capBytes: number): Kept {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  let bytes = 0;
  return {
    add: (chunk) => {
      const room = capBytes - bytes;
      bytes += chunk.length;
      if (room > 0) text += decoder.decode(chunk.subarray(0, room), { stream: true });
    },
    text: () => {
      if (bytes <= capBytes) text += decoder.decode();
      return storable(text);
    },
    bytes: () => bytes,
    isTruncated: () => bytes > capBytes,
  };
}
