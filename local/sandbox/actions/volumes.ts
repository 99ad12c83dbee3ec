// DescribeVolumes: the root volume of each instance.
import type { Read } from './action.ts';
import { volumeOwner } from './resources.ts';
import { diskOf } from '../disks.ts';
import { filtered, filtersOf } from '../filters.ts';
import type { Fields } from '../filters.ts';
import { stateAt } from '../lifecycle.ts';
import { numberKey, page } from '../paging.ts';
import type { Instance } from '../records.ts';
import { tagSet } from '../tags.ts';
import type { Branch } from '../xml.ts';

const fields: Fields<Instance> = {
  'volume-id': (instance) => instance.volume_id,
  'attachment.instance-id': (instance) => instance.id,
  'availability-zone': (instance) => instance.zone,
  status: () => 'in-use',
};

export const describeVolumes: Read = {
  kind: 'read',
  name: 'DescribeVolumes',
  parameters: ['VolumeId', 'Filter', 'MaxResults', 'NextToken'],
  run({ query, cloud, now }) {
    const ids = query.list('VolumeId');
    const owners =
      ids.length > 0
        ? ids.map((id) => volumeOwner(cloud, id, now))
        : cloud.instances(now).filter((instance) => stateAt(instance, now) !== 'terminated');
    const found = filtered(owners, filtersOf(query), fields, (instance) => instance.volume_tags);
    const { items, nextToken } = page(query, found, {
      least: 5,
      most: 1000,
      ids: { name: 'VolumeId', called: 'volumeSet' },
      keyOf: numberKey,
    });
    return { volumeSet: items.map(volumeXml), nextToken };
  },
};

function volumeXml(instance: Instance): Branch {
  const created = new Date(instance.created_at_ms).toISOString();
  const { kind, size_gib, iops, throughput } = diskOf(instance);
  return {
    volumeId: instance.volume_id,
    size: size_gib,
    snapshotId: '',
    availabilityZone: instance.zone,
    status: 'in-use',
    createTime: created,
    attachmentSet: [
      {
        volumeId: instance.volume_id,
        instanceId: instance.id,
        device: '/dev/xvda',
        status: 'attached',
        attachTime: created,
        deleteOnTermination: true,
      },
    ],
    tagSet: tagSet(instance.volume_tags),
    volumeType: kind,
    ...(iops > 0 && { iops }),
    ...(throughput > 0 && { throughput }),
    encrypted: false,
    multiAttachEnabled: false,
  };
}
