// EC2 filters: any of a filter's values must match, all filters must, with `*` and `?` as wildcards.
import { globOf, matchesGlob } from './glob.ts';
import type { Glob } from './glob.ts';
import type { Query } from './query.ts';
import { invalidValue } from './refusal.ts';

export interface Filter {
  readonly name: string;
  readonly globs: readonly Glob[];
}

export type Fields<T> = Readonly<Record<string, (item: T) => string>>;

export function filtersOf(query: Query): Filter[] {
  return query.groups('Filter').map((group) => {
    group.knowsOnly(['Name', 'Value']);
    return { name: group.required('Name'), globs: group.texts('Value').map(globOf) };
  });
}

export function filtered<T>(
  items: readonly T[],
  filters: readonly Filter[],
  fields: Fields<T>,
  tagsOf?: (item: T) => Readonly<Record<string, string>>,
): T[] {
  const tests = filters.map(({ name, globs }) => {
    const values = valuesOf(name, fields, tagsOf);
    return (item: T) => values(item).some((value) => globs.some((glob) => matchesGlob(glob, value)));
  });
  return items.filter((item) => tests.every((test) => test(item)));
}

function valuesOf<T>(
  name: string,
  fields: Fields<T>,
  tagsOf?: (item: T) => Readonly<Record<string, string>>,
): (item: T) => string[] {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field) return (item) => [field(item)];
  if (tagsOf && name === 'tag-key') return (item) => Object.keys(tagsOf(item));
  if (tagsOf && name.startsWith('tag:')) {
    const key = name.slice('tag:'.length);
    return (item) => {
      const tags = tagsOf(item);
      return Object.hasOwn(tags, key) ? [tags[key] ?? ''] : [];
    };
  }
  throw invalidValue(`The filter '${name}' is invalid`);
}
