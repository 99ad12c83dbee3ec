// CreateSnapshot of a root volume, and DescribeSnapshots.
import type { Mutation, Read } from './action.ts';
import { snapshotOf, volumeOwner } from './resources.ts';
import { ownerId } from '../addresses.ts';
import { filtered, filtersOf } from '../filters.ts';
import type { Fields } from '../filters.ts';
import { numberKey, page } from '../paging.ts';
import type { Snapshot } from '../records.ts';
import { diskOf } from '../disks.ts';
import { specifiedTags, tagSet } from '../tags.ts';
import type { Branch } from '../xml.ts';

const statusAt = (snapshot: Snapshot, now: number) => (now < snapshot.settles_at_ms ? 'pending' : 'completed');

export const createSnapshot: Mutation = {
  kind: 'change',
  name: 'CreateSnapshot',
  parameters: ['VolumeId', 'Description', 'TagSpecification'],
  run({ query, cloud, now }) {
    const instance = volumeOwner(cloud, query.required('VolumeId'), now);
    const snapshot: Snapshot = {
      id: cloud.newId('snap'),
      number: cloud.nextNumber(),
      volume_id: instance.volume_id,
      size_gib: diskOf(instance).size_gib,
      description: query.text('Description') ?? '',
      tags: specifiedTags(query, ['snapshot'])('snapshot'),
      started_at_ms: now,
      settles_at_ms: now + cloud.settings.stateMs,
    };
    return {
      answer: snapshotXml(snapshot, now),
      effect: {
        instance_ids: [instance.id],
        volume_id: instance.volume_id,
        snapshot_id: snapshot.id,
        changed: [snapshot.id],
      },
      records: { snapshots: [snapshot] },
    };
  },
};

const fieldsAt = (now: number): Fields<Snapshot> => ({
  'snapshot-id': (snapshot) => snapshot.id,
  'volume-id': (snapshot) => snapshot.volume_id,
  status: (snapshot) => statusAt(snapshot, now),
  description: (snapshot) => snapshot.description,
  'owner-id': () => ownerId,
});

export const describeSnapshots: Read = {
  kind: 'read',
  name: 'DescribeSnapshots',
  parameters: ['SnapshotId', 'Owner', 'Filter', 'MaxResults', 'NextToken'],
  run({ query, cloud, now }) {
    const ids = query.list('SnapshotId');
    const owners = query.list('Owner');
    const asked = ids.length > 0 ? ids.map((id) => snapshotOf(cloud, id)) : cloud.snapshots();
    const owned = owners.length === 0 || owners.includes('self') || owners.includes(ownerId) ? asked : [];
    const found = filtered(owned, filtersOf(query), fieldsAt(now), (snapshot) => snapshot.tags);
    const { items, nextToken } = page(query, found, {
      least: 5,
      most: 1000,
      ids: { name: 'SnapshotId', called: 'snapshotSet' },
      keyOf: numberKey,
    });
    return { snapshotSet: items.map((snapshot) => snapshotXml(snapshot, now)), nextToken };
  },
};

function snapshotXml(snapshot: Snapshot, now: number): Branch {
  const status = statusAt(snapshot, now);
  return {
    snapshotId: snapshot.id,
    volumeId: snapshot.volume_id,
    status,
    startTime: new Date(snapshot.started_at_ms).toISOString(),
    progress: status === 'completed' ? '100%' : '',
    ownerId,
    volumeSize: snapshot.size_gib,
    description: snapshot.description,
    tagSet: tagSet(snapshot.tags),
    encrypted: false,
    storageTier: 'standard',
  };
}
