// Looking for members' instances that nobody has seen for a while, and keeping what is seen of them.
import type { Clouds } from '../clients/ec2.ts';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import { grouped } from '../domain/grouped.ts';
import type { Instance } from '../domain/instance.ts';
import type { Policy } from '../domain/policy.ts';
import { usdPerHour } from '../domain/prices.ts';
import { observeMember } from '../store/member-observed.ts';
import type { MemberRow } from '../store/members.ts';
import type { Place } from '../store/sightings.ts';
import { markGone, markSeen, unseenMembers } from '../store/sightings.ts';

export interface SightingParts {
  readonly postgres: Postgres;
  readonly clouds: Clouds;
  readonly policy: Pick<Policy, 'prices'>;
}

/** The idle sweep sees every member each minute; longer means that it does not get to it, or that there is nothing to see. */
const UNSEEN_MS = 150_000;
const MEMBERS_A_LOOK = 1_000;
/** A filter of EC2 takes so many values. */
const IDS_A_CALL = 200;

/** A text that is the same for the same region and profile. */
export function placeKey({ region, profile }: Place): string {
  return `${region} ${profile ?? ''}`;
}

/**
 * Looks once more for the instances of members that nobody has seen for a while. Returns the members whose instance is
 * nowhere to be found; a region that does not answer gives none.
 */
export async function findUnseen(parts: SightingParts, signal: AbortSignal): Promise<MemberRow[]> {
  const { postgres } = parts;
  const rows = await reaching(unseenMembers(postgres.db, UNSEEN_MS, MEMBERS_A_LOOK));
  const { looks } = await lookAtMembers(parts, rows, signal);
  const same: string[] = [];
  const gone: MemberRow[] = [];
  for (const { row, instance } of looks) {
    if (!instance) gone.push(row);
    else if (isAsKept(row, instance)) same.push(row.id);
    else await keepSight(parts, row, instance);
  }
  await reaching(markSeen(postgres.db, same));
  for (const { id, state } of gone) {
    if (state !== null) await reaching(postgres.transaction((db) => markGone(db, id)));
  }
  return gone;
}

export interface MemberSight {
  readonly row: MemberRow;
  /** Undefined when it is nowhere to be found. */
  readonly instance: Instance | undefined;
}

/**
 * One call for many instances of a region; regions side by side, so that one that hangs keeps none of the others. What
 * did not answer before the signal is left out. `calls` counts those to the cloud.
 */
export async function lookAtMembers(
  { clouds }: Pick<SightingParts, 'clouds'>,
  rows: readonly MemberRow[],
  signal: AbortSignal,
): Promise<{ readonly looks: readonly MemberSight[]; readonly calls: number }> {
  let calls = 0;
  const places = [...grouped(chunksOf(rows), ({ place }) => placeKey(place)).values()];
  const looks = await Promise.all(
    places.map(async (chunks) => {
      const sights: MemberSight[] = [];
      for (const { place, members } of chunks) {
        if (signal.aborted) break;
        calls += 1;
        const ids = members.map(({ instanceId }) => instanceId);
        const ec2 = clouds.of(place.region, place.profile);
        const found = await ec2.findAll(ids, { signal }).catch(() => undefined);
        const byId = new Map(found?.map((instance) => [instance.id, instance]));
        if (found) sights.push(...members.map(({ row, instanceId }) => ({ row, instance: byId.get(instanceId) })));
      }
      return sights;
    }),
  );
  return { looks: looks.flat(), calls };
}

/** Keeps what was seen of a member. Nothing is written about a machine that is as it was, which is nearly always so. */
export async function keepSight(
  { postgres, policy }: Pick<SightingParts, 'postgres' | 'policy'>,
  row: MemberRow,
  instance: Instance,
): Promise<MemberRow> {
  if (isAsKept(row, instance)) return row;
  const rate = usdPerHour([instance.type], policy.prices);
  return reaching(postgres.transaction((db) => observeMember(db, row, instance, rate)));
}

function isAsKept(row: MemberRow, instance: Instance): boolean {
  const address = row.settings.address === 'private' ? instance.privateIp : instance.publicIp;
  return (
    row.state === instance.state &&
    row.instanceType === instance.type &&
    row.launchedAt?.toISOString() === instance.launchTime &&
    (address === null || row.address === address)
  );
}

interface Chunk {
  readonly place: Place;
  readonly members: { readonly row: MemberRow; readonly instanceId: string }[];
}

/** As many members of one place as one call can ask for. */
function chunksOf(rows: readonly MemberRow[]): Chunk[] {
  const filling = new Map<string, Chunk>();
  const chunks: Chunk[] = [];
  for (const row of rows) {
    const { cloud } = row.settings;
    if (!cloud) continue;
    const key = placeKey(cloud);
    let chunk = filling.get(key);
    if (!chunk || chunk.members.length >= IDS_A_CALL) {
      chunk = { place: cloud, members: [] };
      filling.set(key, chunk);
      chunks.push(chunk);
    }
    chunk.members.push({ row, instanceId: cloud.instanceId });
  }
  return chunks;
}
