// Queries on events: one by its number, all of a task, and a tenant's events in the order of their seals.
import { and, asc, eq, getTableColumns, gt } from 'drizzle-orm';
import type { Queries } from '../clients/postgres.ts';
import type { TaskEvent } from '../domain/event.ts';
import { events, seals } from './schema.ts';

type EventRow = typeof events.$inferSelect;

export interface SealedEvent {
  readonly position: number;
  readonly hash: string;
  readonly event: TaskEvent;
}

/** The event of a row, with exactly the fields that its hash covers. */
export function eventOfRow({ id: _id, at, ...fields }: EventRow): TaskEvent {
  return { ...fields, at: at.toISOString() };
}

/** Event number `seq` of a task. Null when there is none. */
export async function findEvent(db: Queries, taskId: string, seq: number): Promise<TaskEvent | null> {
  const [row] = await db
    .select()
    .from(events)
    .where(and(eq(events.taskId, taskId), eq(events.seq, seq)));
  return row ? eventOfRow(row) : null;
}

/** All events of a task in order; a task has few. */
export async function eventsOfTask(db: Queries, tenant: string, taskId: string): Promise<TaskEvent[]> {
  const rows = await db
    .select()
    .from(events)
    .where(and(eq(events.taskId, taskId), eq(events.tenant, tenant)))
    .orderBy(asc(events.seq))
    .limit(1_000);
  return rows.map(eventOfRow);
}

/** Sealed events of a tenant after a position, in order, at most `limit`. */
export async function sealedAfter(
  db: Queries,
  tenant: string,
  position: number,
  limit: number,
): Promise<SealedEvent[]> {
  const rows = await db
    .select({ position: seals.position, hash: seals.hash, event: getTableColumns(events) })
    .from(seals)
    .innerJoin(events, eq(events.id, seals.eventId))
    .where(and(eq(seals.tenant, tenant), gt(seals.position, position)))
    .orderBy(asc(seals.position))
    .limit(limit);
  return rows.map(({ position, hash, event }) => ({ position, hash, event: eventOfRow(event) }));
}
