// Looking for members' instances that nobody has seen for a while, and keeping what is seen of them.
import type { Clouds } from '../clients/ec2.ts';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
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
  const { postgres, clouds } = parts;
  const rows = await reaching(unseenMembers(postgres.db, UNSEEN_MS, MEMBERS_A_LOOK));
  const looks = await Promise.all(
    chunksOf(rows).map(async ({ place, members }) => {
      const ids = members.map(({ instanceId }) => instanceId);
      const found = await clouds
        .of(place.region, place.profile)
        .findAll(ids, { signal })
        .catch(() => undefined);
      const byId = new Map(found?.map((instance) => [instance.id, instance]));
      return found ? members.map(({ row, instanceId }) => ({ row, instance: byId.get(instanceId) })) : [];
    }),
  );
  const same: string[] = [];
  const gone: MemberRow[] = [];
  for (const { row, instance } of looks.flat()) {
    if (!instance) gone.push(row);
    else if (isAsKept(row, instance)) same.push(row.id);
    else await keep(parts, row, instance);
  }
  await reaching(markSeen(postgres.db, same));
  for (const { id, state } of gone) {
    if (state !== null) await reaching(postgres.transaction((db) => markGone(db, id)));
  }
  return gone;
}

function keep({ postgres, policy }: SightingParts, row: MemberRow, instance: Instance): Promise<MemberRow> {
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
