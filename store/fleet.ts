// The query behind the fleet: what a row of it shows and no more, since every further column costs a thousand conversions.
import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import { members } from './member-schema.ts';

const SHOWN = {
  id: members.id,
  nameKey: members.nameKey,
  target: members.target,
  name: sql<string>`${members.settings}->>'name'`,
  /** Null for a machine that is not in the cloud. */
  region: sql<string | null>`${members.settings}->'cloud'->>'region'`,
  state: members.state,
  instanceType: members.instanceType,
  launchedAt: members.launchedAt,
  observedAt: members.observedAt,
  readyAt: members.readyAt,
  idleSince: members.idleSince,
  stopAt: members.stopAt,
  gpuPercent: members.gpuPercent,
  probedAt: members.probedAt,
  disks: members.disks,
  disksSeenAt: members.disksSeenAt,
  lastUseAt: members.lastUseAt,
  /** When a look last saw it in use, ISO. */
  lastSeenBusyAt: sql<string | null>`${members.clocks}->>'lastSeenBusyAt'`,
};

export type FleetMemberRow = Awaited<ReturnType<typeof listFleet>>['rows'][number];

/** A page of a tenant's members by name. */
export async function listFleet(
  db: Queries,
  tenant: string,
  { after, limit }: { readonly after?: string; readonly limit: number },
) {
  const rows = await db
    .select(SHOWN)
    .from(members)
    .where(and(eq(members.tenant, tenant), after === undefined ? undefined : gt(members.nameKey, after)))
    .orderBy(asc(members.nameKey))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), more: rows.length > limit };
}
