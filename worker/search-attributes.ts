// Makes Temporal know the search attributes that tasks carry, so that `temporal workflow list` can filter by them.
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { SEARCH_ATTRIBUTES } from '../domain/search.ts';

const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD } = proto.temporal.api.enums.v1.IndexedValueType;

/** Registers what is missing. Throws when one exists with another type, or may not be registered here. */
export async function registerSearchAttributes({ operatorService }: Connection, namespace: string): Promise<void> {
  const missing = await missingAttributes({ operatorService }, namespace);
  if (missing.length === 0) return;
  await operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  });
}

async function missingAttributes({ operatorService }: Pick<Connection, 'operatorService'>, namespace: string) {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return SEARCH_ATTRIBUTES.filter((name) => {
    const type = customAttributes?.[name];
    if (type === undefined) return true;
    if (type === KEYWORD) return false;
    throw new Error(
      `search attribute ${name} exists with another type than Keyword; rename it, or set temporal.search_attributes to false`,
    );
  });
}
