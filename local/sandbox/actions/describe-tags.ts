// DescribeTags: every tag of every resource, by filters and pages.
import type { Read } from './action.ts';
import { resources } from './resources.ts';
import { filtered, filtersOf } from '../filters.ts';
import type { Fields } from '../filters.ts';
import { page } from '../paging.ts';

interface Tag {
  readonly resourceId: string;
  readonly resourceType: string;
  readonly key: string;
  readonly value: string;
}

const fields: Fields<Tag> = {
  key: (tag) => tag.key,
  value: (tag) => tag.value,
  'resource-id': (tag) => tag.resourceId,
  'resource-type': (tag) => tag.resourceType,
};

const keyOf = (tag: Tag): string => `${tag.resourceId} ${tag.key}`;

export const describeTags: Read = {
  kind: 'read',
  name: 'DescribeTags',
  parameters: ['Filter', 'MaxResults', 'NextToken'],
  run({ query, cloud, now }) {
    const tags = resources(cloud, now).flatMap((resource) =>
      Object.entries(resource.tags).map(([key, value]) => ({
        resourceId: resource.id,
        resourceType: resource.kind,
        key,
        value,
      })),
    );
    const found = filtered(tags, filtersOf(query), fields, (tag) => Object.fromEntries([[tag.key, tag.value]]));
    found.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
    const { items, nextToken } = page(query, found, { least: 5, most: 1000, keyOf });
    return { tagSet: items.map((tag) => ({ ...tag })), nextToken };
  },
};
