// Looking for members' instances that nobody has seen for a while, and keeping what is seen of them.
import type { Clouds } from '../clients/ec2.ts';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import type { Instance } from '../domain/instance.ts';
import type { Policy } from '../domain/policy.ts';
import { usdPerHour } from '../domain/prices.ts';
import { observeMember } from '../store/member-observed.ts';
import type { MemberRow } from '../store/members.ts';
import { markGone, markSeen, unseenMembers } from '../store/sightings.ts';
import { askPlaces } from './places.ts';

export interface SightingParts {
  readonly postgres: Postgres;
  readonly clouds: Clouds;
  readonly policy: Pick<Policy, 'prices'>;
}

/** The idle sweep sees every member each minute; longer means that it does not get to it, or that there is nothing to see. */
const UNSEEN_MS = 150_000;
const MEMBERS_A_LOOK = 1_000;

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

/** Looks at the instances of members; what does not answer before the signal is left out. `calls` counts those to the cloud. */
export async function lookAtMembers(
  { clouds }: Pick<SightingParts, 'clouds'>,
  rows: readonly MemberRow[],
  signal: AbortSignal,
): Promise<{ readonly looks: readonly MemberSight[]; readonly calls: number }> {
  const { asked, calls } = await askPlaces(clouds, rows, signal, async (ec2, ids) => {
    const found = await ec2.findAll(ids, { signal });
    return new Map(found.map((instance) => [instance.id, instance]));
  });
  return { looks: asked.map(({ row, instanceId, answer }) => ({ row, instance: answer.get(instanceId) })), calls };
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
