// Tags as callers send and see them, with the limits AWS sets.
import type { Query } from './query.ts';
import { invalidValue, Refusal } from './refusal.ts';
import type { Tree } from './xml.ts';

export type Tags = Readonly<Record<string, string>>;

const mostTags = 50;

export function tagSet(tags: Tags): Tree {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

export function tagsOf(query: Query): Record<string, string> {
  const pairs = query.groups('Tag').map((group) => {
    group.knowsOnly(['Key', 'Value']);
    const key = group.required('Key');
    const value = group.sent('Value') ?? '';
    if (key.toLowerCase().startsWith('aws:')) {
      throw invalidValue(`Tag keys starting with 'aws:' are reserved for internal use`);
    }
    if (key.length > 128) throw invalidValue('Tag key exceeds the maximum length of 128 characters');
    if (value.length > 256) throw invalidValue('Tag value exceeds the maximum length of 256 characters');
    return [key, value] as const;
  });
  const twice = pairs.find(([key], index) => pairs.findIndex(([other]) => other === key) !== index);
  if (twice) throw invalidValue(`Duplicate tag key '${twice[0]}' specified.`);
  return Object.fromEntries(pairs);
}

/** What an action that creates something gives it as tags, by the kind of the thing. */
export function specifiedTags(query: Query, kinds: readonly string[]): (kind: string) => Record<string, string> {
  const specified = new Map<string, Record<string, string>>();
  for (const group of query.groups('TagSpecification')) {
    group.knowsOnly(['ResourceType', 'Tag']);
    const kind = group.required('ResourceType');
    if (!kinds.includes(kind))
      throw invalidValue(`'${kind}' is not a valid taggable resource type for this operation.`);
    if (specified.has(kind)) throw invalidValue(`Duplicate resource type '${kind}' in tag specifications.`);
    specified.set(kind, merged({}, tagsOf(group)));
  }
  return (kind) => specified.get(kind) ?? {};
}

export function merged(tags: Tags, more: Tags): Record<string, string> {
  const all = { ...tags, ...more };
  if (Object.keys(all).length > mostTags) {
    throw new Refusal('TagLimitExceeded', `The maximum number of tags for a resource is ${mostTags}.`);
  }
  return all;
}
