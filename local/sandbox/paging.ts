// Pages of a list: MaxResults bounds a page, NextToken says after which entry the next one starts.
import type { Query } from './query.ts';
import { combination, invalidValue, Refusal } from './refusal.ts';

export interface Paging<T> {
  readonly least: number;
  readonly most: number;
  /** The list of ids that cannot be asked for together with a page, and what AWS calls it in its refusal. */
  readonly ids?: { readonly name: string; readonly called: string };
  /** The order of the items, as text. */
  readonly keyOf: (item: T) => string;
}

export const numberKey = (item: { readonly number: number }): string => String(item.number).padStart(12, '0');

export function page<T>(query: Query, sorted: readonly T[], paging: Paging<T>): { items: T[]; nextToken?: string } {
  const size = sizeOf(query, paging);
  const after = afterOf(query);
  const rest = sorted.filter((item) => after === undefined || paging.keyOf(item) > after);
  const items = rest.slice(0, size);
  const last = items.at(-1);
  if (last === undefined || items.length === rest.length) return { items };
  return { items, nextToken: Buffer.from(`after ${paging.keyOf(last)}`).toString('base64url') };
}

function sizeOf<T>(query: Query, { least, most, ids }: Paging<T>): number {
  const size = query.integer('MaxResults');
  if (ids && query.list(ids.name).length > 0 && (size !== undefined || query.text('NextToken') !== undefined)) {
    throw combination(`The parameter ${ids.called} cannot be used with the parameter maxResults`);
  }
  if (size === undefined) return most;
  if (size < least || size > most) {
    const bound = size < least ? `greater than ${least - 1}` : `less than ${most + 1}`;
    throw invalidValue(`Value ( ${size} ) for parameter maxResults is invalid. Expecting a value ${bound}.`);
  }
  return size;
}

function afterOf(query: Query): string | undefined {
  const token = query.text('NextToken');
  if (token === undefined) return undefined;
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('after ')) throw new Refusal('InvalidNextToken', 'The specified NextToken is not valid.');
  return text.slice('after '.length);
}
