// Checks that JSON read from a file has the shape the code relies on; the types come from the checks.
export type Guard<T> = (value: unknown) => value is T;
export type Shaped<G> = G extends Guard<infer T> ? T : never;

export const text = (value: unknown): value is string => typeof value === 'string';
export const number = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
export const flag = (value: unknown): value is boolean => typeof value === 'boolean';

export function oneOf<const T extends readonly string[]>(words: T): Guard<T[number]> {
  return (value): value is T[number] => text(value) && words.includes(value);
}

export function listOf<T>(guard: Guard<T>): Guard<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every(guard);
}

export function recordOf<T>(guard: Guard<T>): Guard<Record<string, T>> {
  return (value): value is Record<string, T> => isObject(value) && Object.values(value).every(guard);
}

export function object<S extends Record<string, Guard<unknown>>>(shape: S): Guard<{ [K in keyof S]: Shaped<S[K]> }> {
  return (value): value is { [K in keyof S]: Shaped<S[K]> } =>
    isObject(value) && Object.entries(shape).every(([name, guard]) => guard(value[name]));
}

/** For what an older file lacks. */
export function optional<T>(guard: Guard<T>): Guard<T | undefined> {
  return (value): value is T | undefined => value === undefined || guard(value);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
