// DescribeInstanceStatus: state and status checks, of running instances unless all are asked for.
import type { Read } from './action.ts';
import { stateXml } from './instance-xml.ts';
import type { Cloud } from '../cloud.ts';
import { filtered, filtersOf } from '../filters.ts';
import type { Fields } from '../filters.ts';
import { checkAt, stateAt } from '../lifecycle.ts';
import type { Check } from '../lifecycle.ts';
import { numberKey, page } from '../paging.ts';
import type { Instance } from '../records.ts';
import type { Branch } from '../xml.ts';

const reachability: Readonly<Record<Check, string | undefined>> = {
  'not-applicable': undefined,
  initializing: 'initializing',
  ok: 'passed',
  impaired: 'failed',
};

function fieldsAt(cloud: Cloud, now: number): Fields<Instance> {
  const check = (instance: Instance) => checkAt(instance, now, cloud.forcedChecks.get(instance.id));
  return {
    'instance-state-name': (instance) => stateAt(instance, now),
    'instance-status.status': check,
    'system-status.status': check,
    'availability-zone': (instance) => instance.zone,
  };
}

export const describeInstanceStatus: Read = {
  kind: 'read',
  name: 'DescribeInstanceStatus',
  parameters: ['InstanceId', 'Filter', 'IncludeAllInstances', 'MaxResults', 'NextToken'],
  run({ query, cloud, now }) {
    const ids = query.list('InstanceId');
    const asked = ids.length > 0 ? cloud.instancesOf(ids, now) : cloud.instances(now);
    const all = query.flag('IncludeAllInstances');
    const shown = asked.filter((instance) => all || stateAt(instance, now) === 'running');
    const found = filtered(shown, filtersOf(query), fieldsAt(cloud, now), (instance) => instance.tags);
    const { items, nextToken } = page(query, found, {
      least: 5,
      most: 1000,
      ids: { name: 'InstanceId', called: 'instancesSet' },
      keyOf: numberKey,
    });
    return { instanceStatusSet: items.map((instance) => statusXml(instance, cloud, now)), nextToken };
  },
};

function statusXml(instance: Instance, cloud: Cloud, now: number): Branch {
  const check = checkAt(instance, now, cloud.forcedChecks.get(instance.id));
  const status = reachability[check];
  const summary: Branch = {
    status: check,
    details: status === undefined ? undefined : [{ name: 'reachability', status }],
  };
  return {
    instanceId: instance.id,
    availabilityZone: instance.zone,
    instanceState: stateXml(stateAt(instance, now)),
    systemStatus: summary,
    instanceStatus: summary,
  };
}
