// DescribeInstances: by ids, filters and pages, in their reservations.
import type { Read } from './action.ts';
import { reservationsXml } from './instance-xml.ts';
import { addressesOf } from '../addresses.ts';
import { filtered, filtersOf } from '../filters.ts';
import type { Fields } from '../filters.ts';
import { stateAt } from '../lifecycle.ts';
import { numberKey, page } from '../paging.ts';
import type { Instance } from '../records.ts';

const fieldsAt = (now: number, network: number | undefined): Fields<Instance> => ({
  'instance-id': (instance) => instance.id,
  'instance-state-name': (instance) => stateAt(instance, now),
  'instance-type': (instance) => instance.type,
  'availability-zone': (instance) => instance.zone,
  'image-id': (instance) => instance.image_id,
  'client-token': (instance) => instance.client_token,
  'private-ip-address': (instance) => addressesOf(instance, network, now).private ?? '',
  'ip-address': (instance) => addressesOf(instance, network, now).public ?? '',
  'reservation-id': (instance) => instance.reservation_id,
});

export const describeInstances: Read = {
  kind: 'read',
  name: 'DescribeInstances',
  parameters: ['InstanceId', 'Filter', 'MaxResults', 'NextToken'],
  run({ query, cloud, now }) {
    const ids = query.list('InstanceId');
    const asked = ids.length > 0 ? cloud.instancesOf(ids, now) : cloud.instances(now);
    const found = filtered(asked, filtersOf(query), fieldsAt(now, cloud.settings.network), (instance) => instance.tags);
    const { items, nextToken } = page(query, found, {
      least: 5,
      most: 1000,
      ids: { name: 'InstanceId', called: 'instancesSet' },
      keyOf: numberKey,
    });
    return { reservationSet: reservationsXml(items, cloud.settings, now), nextToken };
  },
};
