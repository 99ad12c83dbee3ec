// RunInstances: launches instances once for each client token.
import { createHash } from 'node:crypto';

import type { Call, Change, Mutation } from './action.ts';
import { reservationXml } from './instance-xml.ts';
import { zonesOf } from '../addresses.ts';
import { rootDiskOf } from '../disks.ts';
import { instanceTypes } from '../instance-types.ts';
import { started, stateAt } from '../lifecycle.ts';
import type { Query } from '../query.ts';
import type { Instance, Token } from '../records.ts';
import { invalidValue, missingParameter, Refusal } from '../refusal.ts';
import { specifiedTags } from '../tags.ts';

export const runInstances: Mutation = {
  kind: 'change',
  name: 'RunInstances',
  parameters: [
    'ImageId',
    'InstanceType',
    'MinCount',
    'MaxCount',
    'TagSpecification',
    'Placement',
    'BlockDeviceMapping',
    'ClientToken',
    'DisableApiTermination',
  ],
  run(call) {
    const token = call.query.text('ClientToken');
    if (token !== undefined && (token.length > 64 || !/^[\x20-\x7e]+$/.test(token))) {
      throw invalidValue('ClientToken must be at most 64 printable ASCII characters');
    }
    const fingerprint = createHash('sha256')
      .update(call.query.canonical(['ClientToken', 'DryRun', 'Version']))
      .digest('hex');
    const known = token === undefined ? undefined : call.cloud.token(token);
    return known ? repeated(call, known, fingerprint) : launched(call, token, fingerprint);
  },
};

function repeated({ cloud, now }: Call, known: Token, fingerprint: string): Change {
  if (known.fingerprint !== fingerprint) {
    throw new Refusal(
      'IdempotentParameterMismatch',
      'The request uses the same client token as a previous, but non-identical request. ' +
        'Do not reuse a client token with different requests, unless the requests are identical',
    );
  }
  const instances = known.instance_ids.flatMap((id) => cloud.instance(id, now) ?? []);
  if (instances.every((instance) => stateAt(instance, now) === 'terminated')) {
    throw new Refusal(
      'IdempotentInstanceTerminated',
      'The request to launch an instance uses the same client token as a previous request for which the instance has been terminated.',
    );
  }
  return {
    answer: reservationXml(known.reservation_id, instances, cloud.settings, now),
    effect: { instance_ids: known.instance_ids, changed: [], client_token: known.token },
    records: {},
  };
}

function launched(call: Call, token: string | undefined, fingerprint: string): Change {
  const { query, cloud, now } = call;
  const blank = plannedInstance(call, token ?? '');
  const alive = cloud.instances(now).filter(({ settled }) => settled !== 'terminated').length;
  const count = countOf(query, alive, cloud.settings.maxInstances);
  const instances = Array.from({ length: count }, (_, index) => {
    const number = cloud.nextNumber();
    const fresh = { ...blank, id: cloud.newId('i'), number, launch_index: index, volume_id: cloud.newId('vol') };
    const pending = started(fresh, now, cloud.settings, number);
    return { ...pending, reason_code: 'pending', reason_message: 'pending' };
  });
  const ids = instances.map(({ id }) => id);
  const remembered =
    token === undefined ? [] : [{ token, fingerprint, reservation_id: blank.reservation_id, instance_ids: ids }];
  return {
    answer: reservationXml(blank.reservation_id, instances, cloud.settings, now),
    effect: { instance_ids: ids, changed: ids, ...(token === undefined ? {} : { client_token: token }) },
    records: { instances, tokens: remembered },
  };
}

function plannedInstance({ query, cloud, now }: Call, clientToken: string): Instance {
  const imageId = query.required('ImageId');
  if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(imageId)) {
    throw new Refusal('InvalidAMIID.Malformed', `Invalid id: "${imageId}" (expecting "ami-...")`);
  }
  const type = query.text('InstanceType') ?? 'm5.large';
  if (!instanceTypes.has(type)) throw invalidValue(`Invalid value '${type}' for InstanceType.`);
  const placement = query.group('Placement');
  placement?.knowsOnly(['AvailabilityZone']);
  const [firstZone = ''] = zonesOf(cloud.settings.region);
  const zone = placement?.text('AvailabilityZone') ?? firstZone;
  if (!zonesOf(cloud.settings.region).includes(zone)) throw invalidValue(`Invalid availability zone: [${zone}]`);
  const tags = specifiedTags(query, ['instance', 'volume']);
  return {
    id: '',
    number: 0,
    reservation_id: cloud.newId('r'),
    client_token: clientToken,
    type,
    image_id: imageId,
    zone,
    tags: tags('instance'),
    protected: query.flag('DisableApiTermination'),
    launch_index: 0,
    created_at_ms: now,
    passing: 'pending',
    settled: 'running',
    settles_at_ms: now,
    launched_at_ms: now,
    checks_settle_at_ms: now,
    reboots: 0,
    public_number: 0,
    reason: '',
    reason_code: '',
    reason_message: '',
    volume_id: '',
    volume_tags: tags('volume'),
    disk: rootDiskOf(query),
  };
}

function countOf(query: Query, alive: number, mostAlive: number): number {
  const least = query.integer('MinCount');
  const most = query.integer('MaxCount');
  if (least === undefined) throw missingParameter('MinCount');
  if (most === undefined) throw missingParameter('MaxCount');
  if (least < 1 || most < least) {
    throw invalidValue(
      `Invalid values for MinCount (${least}) and MaxCount (${most}): expecting 1 <= MinCount <= MaxCount`,
    );
  }
  if (alive + least > mostAlive) {
    throw new Refusal(
      'InstanceLimitExceeded',
      `You have requested more instances (${alive + least}) than your current instance limit of ${mostAlive} allows.`,
    );
  }
  return Math.min(most, mostAlive - alive);
}
