// CreateTags and DeleteTags on instances, volumes and snapshots.
import type { Call, Change, Mutation } from './action.ts';
import { requiredIds } from './action.ts';
import { resourceOf } from './resources.ts';
import type { Resource } from './resources.ts';
import type { Instance, Records, Snapshot } from '../records.ts';
import { missingParameter } from '../refusal.ts';
import { merged, tagsOf } from '../tags.ts';
import type { Tags } from '../tags.ts';

export const createTags: Mutation = {
  kind: 'change',
  name: 'CreateTags',
  parameters: ['ResourceId', 'Tag'],
  run(call) {
    const tags = tagsOf(call.query);
    if (Object.keys(tags).length === 0) throw missingParameter('Tag');
    return retagged(call, tags, (before) => merged(before, tags));
  },
};

export const deleteTags: Mutation = {
  kind: 'change',
  name: 'DeleteTags',
  parameters: ['ResourceId', 'Tag'],
  run(call) {
    const doomed = call.query.groups('Tag').map((group) => {
      group.knowsOnly(['Key', 'Value']);
      return { key: group.required('Key'), value: group.sent('Value') };
    });
    const tags = Object.fromEntries(doomed.map(({ key, value }) => [key, value ?? '']));
    return retagged(call, tags, (before) => without(before, doomed));
  },
};

/** Naming no tag deletes all; a value that is given must match. */
function without(tags: Tags, doomed: readonly { key: string; value: string | undefined }[]): Tags {
  if (doomed.length === 0) return {};
  const goes = ([key, value]: [string, string]) =>
    doomed.some((tag) => tag.key === key && (tag.value === undefined || tag.value === value));
  return Object.fromEntries(Object.entries(tags).filter((tag) => !goes(tag)));
}

function retagged(call: Call, tags: Tags, next: (before: Tags) => Tags): Change {
  const ids = requiredIds(call.query, 'ResourceId');
  const resources = ids.map((id) => resourceOf(call.cloud, id, call.now));
  const turned = resources.flatMap((resource) => {
    const after = next(resource.tags);
    return same(resource.tags, after) ? [] : [{ resource, after }];
  });
  return {
    answer: { return: true },
    effect: { instance_ids: ids, changed: turned.map(({ resource }) => resource.id), tags },
    records: recordsOf(turned),
  };
}

/** An instance and its root volume share a record: one call may tag both. */
function recordsOf(turned: readonly { resource: Resource; after: Tags }[]): Partial<Records> {
  const instances = new Map<string, Instance>();
  const snapshots: Snapshot[] = [];
  for (const { resource, after } of turned) {
    if (resource.kind === 'snapshot') {
      snapshots.push({ ...resource.snapshot, tags: { ...after } });
      continue;
    }
    const instance = instances.get(resource.instance.id) ?? resource.instance;
    const name = resource.kind === 'volume' ? 'volume_tags' : 'tags';
    instances.set(instance.id, { ...instance, [name]: { ...after } });
  }
  return {
    ...(instances.size > 0 ? { instances: [...instances.values()] } : {}),
    ...(snapshots.length > 0 ? { snapshots } : {}),
  };
}

function same(one: Tags, other: Tags): boolean {
  const entries = Object.entries(one);
  return (
    entries.length === Object.keys(other).length &&
    entries.every(([key, value]) => Object.hasOwn(other, key) && other[key] === value)
  );
}
