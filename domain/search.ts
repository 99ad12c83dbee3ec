// Values of Temporal's Keyword search attributes: cut so that PostgreSQL-backed visibility accepts them.

/** A Keyword column holds 255 characters; more makes the server refuse the whole workflow task. */
const LONGEST_BYTES = 255;

/** The names, all of type Keyword, that the worker registers. */
export const SEARCH_ATTRIBUTES = ['TaskStatus', 'Operation', 'Resource', 'Tenant', 'Risk'] as const;

/** A value that fits: itself, or its beginning with a hash of the whole (FNV-1a, 32 bit) as the tail. */
export function searchValue(text: string): string {
  if (byteLength(text) <= LONGEST_BYTES) return text;
  const tail = `~${fnv1a(text).toString(16).padStart(8, '0')}`;
  let kept = '';
  let bytes = tail.length;
  for (const character of text) {
    bytes += byteLength(character);
    if (bytes > LONGEST_BYTES) break;
    kept += character;
  }
  return kept + tail;
}

function byteLength(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
