// What nobody seems to know: instances without a member, members without an instance, leases without a workflow. Nothing is stopped.
import type { WorkflowClient } from '@temporalio/client';
import type { Postgres } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import { livenessOf } from '../clients/temporal.ts';
import type { FindingWish } from '../domain/finding.ts';
import { NOBODYS_TENANT } from '../domain/finding.ts';
import { regionOf, targetOf } from '../domain/instance.ts';
import {
  dropOldFindings,
  heldLeases,
  keepFindings,
  openFindings,
  resolveFindings,
  resolveSeenMembers,
  resolveUnconfirmed,
  suspectLeases,
} from '../store/findings.ts';
import type { LeaseRow } from '../store/leases.ts';
import { freeLease } from '../store/lease-returns.ts';
import { noteMember } from '../store/member-events.ts';
import { membersOnTargets } from '../store/members.ts';
import type { MemberRow } from '../store/members.ts';
import type { Place } from '../store/sightings.ts';
import { placesOfMembers, terminatedMembers } from '../store/sightings.ts';
import type { SightingParts } from './sightings.ts';
import { placeKey } from './places.ts';
import { findUnseen } from './sightings.ts';

export type FindingReport = {
  /** How many of each are open. */
  readonly withoutMember: number;
  readonly withoutInstance: number;
  readonly withoutWorkflow: number;
  /** Leases given back for holders that are gone. */
  readonly freed: number;
};

export interface FindingActivities {
  /** Looks for orphans; each that is new is an event, of its member or of the machine, and an entry that stays until it is resolved. */
  findOrphans(): Promise<FindingReport>;
}

export interface FindingParts extends SightingParts {
  readonly workflows: WorkflowClient;
}

/** All looks at the cloud together; what does not answer is looked at in the next run. */
const LOOK_MS = 10_000;
const LEASES_A_RUN = 200;
const LOOKS_AT_ONCE = 10;
/** A holder that has just ended may be about to give back what it holds. */
const FREE_AFTER_MS = 120_000;
const TERMINATED_MEMBERS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The third activity of the `reconcile` workflow. */
export function findingActivities(parts: FindingParts): FindingActivities {
  return {
    findOrphans: async () => {
      const { db } = parts.postgres;
      const signal = AbortSignal.timeout(LOOK_MS);
      const [withoutMember, withoutInstance] = await Promise.all([
        findOwnerless(parts, signal),
        findGone(parts, signal),
      ]);
      const { withoutWorkflow, freed } = await findDeadLeases(parts);
      await reaching(resolveUnconfirmed(db, 'task_lost', DAY_MS));
      await reaching(resolveUnconfirmed(db, 'tenant_budget', HOUR_MS));
      await reaching(dropOldFindings(db, 30 * DAY_MS));
      return { withoutMember, withoutInstance, withoutWorkflow, freed };
    },
  };
}

/** Running instances that carry a tag of ours and that no member is registered on. */
async function findOwnerless({ postgres, clouds }: FindingParts, signal: AbortSignal): Promise<number> {
  const { db } = postgres;
  const open = await reaching(openFindings(db, 'instance_without_member'));
  const looked = new Map<string, string[] | undefined>();
  await Promise.all(
    places(clouds.home.region, await reaching(placesOfMembers(db)), open).map(async (place) => {
      const ec2 = clouds.of(place.region, place.profile);
      const found = await ec2.findTagged({ signal }).catch(() => undefined);
      looked.set(
        placeKey(place),
        found?.map(({ id }) => targetOf(place.region, id)),
      );
    }),
  );
  const tagged = [...new Set([...looked.values()].flatMap((targets) => targets ?? []))];
  const owned = new Set((await reaching(membersOnTargets(db, tagged))).map(({ target }) => target));
  const ownerless = tagged.filter((target) => !owned.has(target));
  await keepAndNote(
    postgres,
    ownerless.map((target) => {
      const says = `${target} runs with a tag of Fermata and is no member: nobody watches it.`;
      return { kind: 'instance_without_member', subject: target, tenant: NOBODYS_TENANT, says, about: target };
    }),
  );
  // Only where every account of the region has answered is absence a proof.
  const silent = [...looked].flatMap(([key, targets]) => (targets ? [] : [key.split(' ')[0]]));
  const over = open
    .map(({ subject }) => subject)
    .filter((target) => !ownerless.includes(target) && !silent.includes(regionOf(target)));
  await reaching(resolveFindings(db, 'instance_without_member', over));
  return ownerless.length;
}

/** Where to look: at home, where members are, and where something was found before. */
function places(home: string, known: readonly Place[], open: readonly { readonly subject: string }[]): Place[] {
  const found = open.flatMap(({ subject }) => regionOf(subject) ?? []).map((region) => ({ region, profile: null }));
  const all = [{ region: home, profile: null }, ...known, ...found];
  return [...new Map(all.map((place) => [placeKey(place), place])).values()];
}

type Noted = FindingWish & {
  /** Whose event it is: a member's id, or the target itself where no member is on it. */
  readonly about: string;
};

/** Keeps what is so now; what was not so before is an event as well. */
async function keepAndNote(postgres: Postgres, found: readonly Noted[]): Promise<void> {
  await reaching(
    postgres.transaction(async (tx) => {
      const fresh = await keepFindings(
        tx,
        found.map(({ about: _about, ...wish }) => wish),
      );
      for (const { kind, subject, tenant, says, about } of found) {
        if (fresh.has(subject)) await noteMember(tx, { id: about, tenant }, { by: 'fermata/reconcile', kind, says });
      }
    }),
  );
}

/** Members whose instance is terminated or nowhere to be found. */
async function findGone(parts: FindingParts, signal: AbortSignal): Promise<number> {
  const { postgres } = parts;
  const missing = await findUnseen(parts, signal);
  const terminated = await reaching(terminatedMembers(postgres.db, TERMINATED_MEMBERS));
  const gone = [
    ...missing.map((row) => ({ row, says: `${nameOf(row)} is nowhere to be found.` })),
    ...terminated.map((row) => ({ row, says: `${nameOf(row)} is terminated.` })),
  ];
  const kind = 'member_without_instance' as const;
  await keepAndNote(
    postgres,
    gone.map(({ row: { id, tenant }, says }) => ({ kind, subject: id, tenant, says, about: id })),
  );
  await reaching(resolveSeenMembers(postgres.db));
  return gone.length;
}

function nameOf({ settings, target }: MemberRow): string {
  return `The instance of ${settings.name} (${target})`;
}

/** Leases whose workflow is gone are found, and given back when they are found again a while later. */
async function findDeadLeases({ postgres, workflows }: FindingParts) {
  const { db } = postgres;
  const kind = 'lease_without_workflow' as const;
  const open = new Map((await reaching(openFindings(db, kind))).map((finding) => [finding.subject, finding]));
  const dead: LeaseRow[] = [];
  const queue = await reaching(suspectLeases(db, LEASES_A_RUN));
  const lane = async () => {
    for (let lease = queue.pop(); lease; lease = queue.pop()) {
      if ((await livenessOf(workflows, lease.holder, lease.holderRunId)) === 'dead') dead.push(lease);
    }
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, lane));
  const owners = await reaching(
    membersOnTargets(
      db,
      dead.map(({ target }) => target),
    ),
  );
  const ownerOf = (lease: LeaseRow) => owners.find(({ target }) => target === lease.target);
  await keepAndNote(
    postgres,
    dead.map((lease) => {
      const { id: about = lease.target, tenant = NOBODYS_TENANT } = ownerOf(lease) ?? {};
      return { kind, subject: subjectOf(lease), tenant, says: `${wordsOn(lease)}, which is gone.`, about };
    }),
  );
  const due = dead.filter((lease) => {
    const since = open.get(subjectOf(lease))?.firstSeenAt;
    return since !== undefined && Date.now() - since.getTime() > FREE_AFTER_MS;
  });
  for (const lease of due) {
    await reaching(freeLease(postgres, lease));
    const owner = ownerOf(lease);
    const says = `${wordsOn(lease)}, which is gone: it was given back.`;
    if (owner) await reaching(noteMember(db, owner, { by: 'fermata/reconcile', kind: 'lease_freed', says }));
  }
  const held = await reaching(heldLeases(db, [...open.keys()]));
  await reaching(
    resolveFindings(
      db,
      kind,
      [...open.keys()].filter((subject) => !held.has(subject)),
    ),
  );
  return { withoutWorkflow: dead.length - due.length, freed: due.length };
}

function subjectOf({ target, holder }: LeaseRow): string {
  return `${target} ${holder}`;
}

function wordsOn({ target, mode, holder }: LeaseRow): string {
  return `A lease (${mode}) on ${target} is held by ${holder}`;
}
