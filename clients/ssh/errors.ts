// What the errors of ssh2 and of Node say, whose classes need not be ours: code, level, words.

/** A text of an error. */
export function textOf(error: unknown, name: 'code' | 'level'): string | undefined {
  const text: unknown = Reflect.get(Object(error), name);
  return typeof text === 'string' ? text : undefined;
}

/** The words of an error. One about several addresses of a name has none of its own, but those of each. */
export function wordsOf(error: unknown): string {
  const each: unknown = Reflect.get(Object(error), 'errors');
  if (Array.isArray(each)) return each.map(wordsOf).join('; ');
  const message: unknown = Reflect.get(Object(error), 'message');
  return typeof message === 'string' && message !== '' ? message : (textOf(error, 'code') ?? String(error));
}
