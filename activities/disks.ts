// Looking at the disks of members' machines, which cost by the month: rarely, since they rarely change.
import { reaching } from '../clients/postgres.ts';
import { keepDisks, membersDueForDisks, putOffDisks } from '../store/disks.ts';
import { askPlaces } from './places.ts';
import type { SightingParts } from './sightings.ts';

const LOOK_EVERY_MS = 3_600_000;
/** A region that does not answer, and a right that is missing, seldom come back within a minute. */
const TRY_AGAIN_MS = 600_000;
const MEMBERS_A_LOOK = 1_000;

/**
 * Looks at the disks of members that are due, and keeps what was seen. Returns how many questions to the cloud that took.
 * Where Fermata may not look, what is known stays, with its age.
 */
export async function lookAtDisks(
  { postgres: { db }, clouds }: Pick<SightingParts, 'postgres' | 'clouds'>,
  signal: AbortSignal,
): Promise<number> {
  const due = await reaching(membersDueForDisks(db, MEMBERS_A_LOOK));
  const { asked, calls } = await askPlaces(clouds, due, signal, (ec2, ids) => ec2.disksOf(ids, { signal }));
  const seen = asked.map(({ row, instanceId, answer }) => ({ id: row.id, disks: answer.get(instanceId) ?? [] }));
  const known = new Set(seen.map(({ id }) => id));
  const unknown = due.flatMap(({ id }) => (known.has(id) ? [] : [id]));
  await reaching(keepDisks(db, seen, LOOK_EVERY_MS));
  await reaching(putOffDisks(db, unknown, TRY_AGAIN_MS));
  return calls;
}
