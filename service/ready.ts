// Whether a door may let callers in: PostgreSQL answers, Temporal answers, and it knows the search attributes.
import { sql } from 'drizzle-orm';
import { SEARCH_ATTRIBUTES } from '../domain/search.ts';
import type { Service } from './open.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly postgres: boolean;
  readonly temporal: boolean;
}

/** Asks each part now. */
export async function isReady(service: Service): Promise<Readiness> {
  const [postgres, temporal] = await Promise.all([
    service.postgres.db.execute(sql`select 1`).then(
      () => true,
      () => false,
    ),
    knowsSearchAttributes(service).catch(() => false),
  ]);
  return { ready: postgres && temporal, postgres, temporal };
}

/** Throws when Temporal does not answer; false until a worker has registered what tasks are started with. */
export async function knowsSearchAttributes({ temporal, withSearchAttributes }: Service): Promise<boolean> {
  const { client, connection, reach } = temporal;
  const { namespace } = client.options;
  if (!withSearchAttributes) {
    await reach(() => connection.workflowService.describeNamespace({ namespace }), 1_500);
    return true;
  }
  const { customAttributes } = await reach(() => connection.operatorService.listSearchAttributes({ namespace }), 1_500);
  return SEARCH_ATTRIBUTES.every((name) => customAttributes?.[name] !== undefined);
}
