// Finds what an id means (instance, root volume or snapshot), for the actions that take any of them.
import type { Cloud } from '../cloud.ts';
import { stateAt } from '../lifecycle.ts';
import type { Instance, Snapshot } from '../records.ts';
import { invalidValue, Refusal } from '../refusal.ts';
import type { Tags } from '../tags.ts';

export type Resource =
  | { readonly kind: 'instance' | 'volume'; readonly id: string; readonly tags: Tags; readonly instance: Instance }
  | { readonly kind: 'snapshot'; readonly id: string; readonly tags: Tags; readonly snapshot: Snapshot };

export function resourceOf(cloud: Cloud, id: string, now: number): Resource {
  if (id.startsWith('i-')) {
    const [instance] = cloud.instancesOf([id], now);
    if (instance) return { kind: 'instance', id, tags: instance.tags, instance };
  }
  if (id.startsWith('vol-')) {
    const instance = volumeOwner(cloud, id, now);
    return { kind: 'volume', id, tags: instance.volume_tags, instance };
  }
  if (id.startsWith('snap-')) {
    const snapshot = snapshotOf(cloud, id);
    return { kind: 'snapshot', id, tags: snapshot.tags, snapshot };
  }
  throw new Refusal('InvalidID', `The ID '${id}' is not valid`);
}

export function resources(cloud: Cloud, now: number): Resource[] {
  const ofInstances = cloud
    .instances(now)
    .flatMap((instance): Resource[] => [
      { kind: 'instance', id: instance.id, tags: instance.tags, instance },
      ...(stateAt(instance, now) === 'terminated'
        ? []
        : [{ kind: 'volume' as const, id: instance.volume_id, tags: instance.volume_tags, instance }]),
    ]);
  const snapshots = cloud.snapshots().map((snapshot): Resource => {
    return { kind: 'snapshot', id: snapshot.id, tags: snapshot.tags, snapshot };
  });
  return [...ofInstances, ...snapshots];
}

export function volumeOwner(cloud: Cloud, volumeId: string, now: number): Instance {
  if (!/^vol-([0-9a-f]{8}|[0-9a-f]{17})$/.test(volumeId)) {
    throw invalidValue(`Value (${volumeId}) for parameter volumeId is invalid. Expected: 'vol-...'.`);
  }
  const instance = cloud.ownerOf(volumeId, now);
  if (!instance) throw new Refusal('InvalidVolume.NotFound', `The volume '${volumeId}' does not exist.`);
  return instance;
}

export function snapshotOf(cloud: Cloud, id: string): Snapshot {
  if (!/^snap-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
    throw new Refusal('InvalidSnapshotID.Malformed', `Invalid id: "${id}" (expecting "snap-...")`);
  }
  const snapshot = cloud.snapshot(id);
  if (!snapshot) throw new Refusal('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
  return snapshot;
}
