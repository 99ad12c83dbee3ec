// Asking the cloud about many members' instances at once: by region and profile, as many in a call as EC2 takes.
import type { Clouds, Ec2 } from '../clients/ec2.ts';
import { grouped } from '../domain/grouped.ts';
import type { MemberRow } from '../store/members.ts';
import type { Place } from '../store/sightings.ts';

/** A filter of EC2 takes so many values. */
const IDS_A_CALL = 200;

/** A text that is the same for the same region and profile. */
export function placeKey({ region, profile }: Place): string {
  return `${region} ${profile ?? ''}`;
}

export interface Asked<T> {
  readonly row: MemberRow;
  readonly instanceId: string;
  /** What the call answered that the instance was in. */
  readonly answer: T;
}

/**
 * One call for many instances of a region; regions side by side, so that one that hangs keeps none of the others. What
 * did not answer before the signal is left out. `calls` counts the questions to the cloud, an answer may come in pages.
 */
export async function askPlaces<T>(
  clouds: Clouds,
  rows: readonly MemberRow[],
  signal: AbortSignal,
  ask: (ec2: Ec2, ids: readonly string[]) => Promise<T>,
): Promise<{ readonly asked: readonly Asked<T>[]; readonly calls: number }> {
  let calls = 0;
  const places = [...grouped(chunksOf(rows), ({ place }) => placeKey(place)).values()];
  const asked = await Promise.all(
    places.map(async (chunks) => {
      const answered: Asked<T>[] = [];
      for (const { place, members } of chunks) {
        if (signal.aborted) break;
        calls += 1;
        const ids = members.map(({ instanceId }) => instanceId);
        const found = await ask(clouds.of(place.region, place.profile), ids).then(
          (answer) => ({ answer }),
          () => undefined,
        );
        if (found) answered.push(...members.map((member) => ({ ...member, ...found })));
      }
      return answered;
    }),
  );
  return { asked: asked.flat(), calls };
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
