// What EC2 describes, in Fermata's words.
import type { Instance as Ec2Instance, Volume } from '@aws-sdk/client-ec2';
import type { Disk } from '../domain/disks.ts';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import { INSTANCE_STATES } from '../domain/instance.ts';

/** An instance. Throws `CloudInvalid` for one that could not be told from others. */
export function instanceOf(seen: Ec2Instance): Instance {
  const tags = Object.fromEntries((seen.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
  const state = INSTANCE_STATES.find((name) => name === seen.State?.Name);
  if (!seen.InstanceId || !state) {
    throw new Failure('CloudInvalid', { why: 'an instance without an id or a known state was described' });
  }
  return {
    id: seen.InstanceId,
    name: tags.Name ?? null,
    state,
    type: seen.InstanceType ?? 'unknown',
    zone: seen.Placement?.AvailabilityZone ?? 'unknown',
    launchTime: seen.LaunchTime?.toISOString() ?? '',
    publicIp: seen.PublicIpAddress ?? null,
    privateIp: seen.PrivateIpAddress ?? null,
    tags,
  };
}

/** A volume that is attached to so many machines. */
export function diskOf({ VolumeType, Size, Iops, Throughput }: Volume, machines: number): Disk {
  return {
    kind: VolumeType ?? 'unknown',
    sizeGib: Size ?? 0,
    iops: Iops ?? null,
    throughputMibps: Throughput ?? null,
    machines,
  };
}
