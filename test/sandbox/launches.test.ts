// RunInstances: what is launched, once for each client token, and what is refused; dry runs of everything.
import {
  CreateSnapshotCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  RebootInstancesCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { EbsBlockDevice, RunInstancesCommandInput } from '@aws-sdk/client-ec2';

import { described, effectsOf, idOf, only, present, reaches, startBox, stateOf } from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());

const image = 'ami-0123456789abcdef0';
const run = (input: Partial<RunInstancesCommandInput> = {}) =>
  box.ec2.send(
    new RunInstancesCommand({ ImageId: image, MinCount: 1, MaxCount: 1, InstanceType: 't3.micro', ...input }),
  );

const root = (Ebs: EbsBlockDevice) => ({ DeviceName: '/dev/xvda', Ebs });

const countAll = async () => {
  const { Reservations = [] } = await box.ec2.send(new DescribeInstancesCommand({}));
  return Reservations.flatMap(({ Instances = [] }) => Instances).length;
};

test('a launch makes pending instances in one reservation, with tags, zone and type, that come to run', async () => {
  const launch = await run({
    MinCount: 2,
    MaxCount: 3,
    InstanceType: 'm5.large',
    Placement: { AvailabilityZone: 'us-east-1b' },
    TagSpecifications: [
      {
        ResourceType: 'instance',
        Tags: [
          { Key: 'Name', Value: 'new' },
          { Key: 'empty', Value: '' },
        ],
      },
      { ResourceType: 'volume', Tags: [{ Key: 'disk', Value: 'of <new> & "old"' }] },
    ],
  });
  expect(launch.Instances).toHaveLength(3);
  expect(launch.Instances?.map(({ AmiLaunchIndex }) => AmiLaunchIndex)).toEqual([0, 1, 2]);
  for (const instance of launch.Instances ?? []) {
    expect(instance).toMatchObject({
      ImageId: image,
      InstanceType: 'm5.large',
      State: { Code: 0, Name: 'pending' },
      StateReason: { Code: 'pending' },
      Placement: { AvailabilityZone: 'us-east-1b' },
      Tags: [
        { Key: 'Name', Value: 'new' },
        { Key: 'empty', Value: '' },
      ],
    });
    await reaches(box, present(instance.InstanceId), 'running');
  }
  const ids = launch.Instances?.map(({ InstanceId }) => InstanceId);
  expect(effectsOf(box).at(-1)).toMatchObject({
    action: 'RunInstances',
    instance_ids: ids,
    changed: ids,
    client_token: launch.Instances?.[0]?.ClientToken,
  });
  const { Reservations = [] } = await box.ec2.send(
    new DescribeInstancesCommand({ InstanceIds: ids?.map(present) ?? [] }),
  );
  expect(only(Reservations).ReservationId).toBe(launch.ReservationId);
});

test('a client token launches once, whatever the order of the parameters', async () => {
  const before = await countAll();
  const first = await run({ ClientToken: 'once-1' });
  const again = await run({ InstanceType: 't3.micro', MaxCount: 1, ClientToken: 'once-1' });
  expect(again.ReservationId).toBe(first.ReservationId);
  expect(again.Instances?.[0]?.InstanceId).toBe(first.Instances?.[0]?.InstanceId);
  expect(await countAll()).toBe(before + 1);
  expect(effectsOf(box).at(-1)).toMatchObject({ outcome: 'ok', client_token: 'once-1', changed: [] });
  const crowd = await Promise.all(Array.from({ length: 10 }, () => run({ ClientToken: 'once-2' })));
  expect(new Set(crowd.map(({ ReservationId }) => ReservationId)).size).toBe(1);
  expect(await countAll()).toBe(before + 2);
});

test('a client token with other parameters, or of a terminated instance, is refused', async () => {
  const id = present((await run({ ClientToken: 'mine' })).Instances?.[0]?.InstanceId);
  await expect(run({ ClientToken: 'mine', InstanceType: 't3.small' })).rejects.toMatchObject({
    name: 'IdempotentParameterMismatch',
    $metadata: { httpStatusCode: 400 },
  });
  expect(effectsOf(box).at(-1)).toMatchObject({
    outcome: 'IdempotentParameterMismatch',
    client_token: 'mine',
    changed: [],
  });
  await box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'terminated');
  await expect(run({ ClientToken: 'mine' })).rejects.toMatchObject({ name: 'IdempotentInstanceTerminated' });
});

test.each<[string, Partial<RunInstancesCommandInput>]>([
  ['InvalidAMIID.Malformed', { ImageId: 'windows' }],
  ['MissingParameter', { ImageId: '' }],
  ['InvalidParameterValue', { InstanceType: 'a1.large' }],
  ['InvalidParameterValue', { MinCount: 2, MaxCount: 1 }],
  ['InvalidParameterValue', { MinCount: 0 }],
  ['InvalidParameterValue', { Placement: { AvailabilityZone: 'eu-west-1a' } }],
  ['UnknownParameter', { Placement: { Tenancy: 'dedicated' } }],
  ['InvalidBlockDeviceMapping', { BlockDeviceMappings: [{ DeviceName: '/dev/sdb', Ebs: {} }] }],
  ['InvalidBlockDeviceMapping', { BlockDeviceMappings: [root({}), root({})] }],
  ['InvalidParameterValue', { BlockDeviceMappings: [root({ VolumeType: 'st1' })] }],
  ['InvalidParameterValue', { BlockDeviceMappings: [root({ VolumeSize: 65_537 })] }],
  ['InvalidParameterValue', { BlockDeviceMappings: [root({ Iops: 2_999 })] }],
  ['InvalidParameterValue', { BlockDeviceMappings: [root({ Throughput: 2_001 })] }],
  ['InvalidParameterValue', { BlockDeviceMappings: [root({ VolumeType: 'io2', VolumeSize: 8, Iops: 8_001 })] }],
  ['InvalidParameterValue', { BlockDeviceMappings: [root({ VolumeType: 'io1', VolumeSize: 16_384, Iops: 64_001 })] }],
  ['InvalidParameterCombination', { BlockDeviceMappings: [root({ VolumeType: 'gp2', Iops: 100 })] }],
  ['InvalidParameterCombination', { BlockDeviceMappings: [root({ VolumeType: 'io2', Iops: 100, Throughput: 125 })] }],
  ['MissingParameter', { BlockDeviceMappings: [root({ VolumeType: 'io1' })] }],
  ['UnknownParameter', { BlockDeviceMappings: [root({ Encrypted: true })] }],
  ['UnknownParameter', { UserData: 'IyEvYmluL3No' }],
  ['InvalidParameterValue', { ClientToken: 'x'.repeat(65) }],
  ['InvalidParameterValue', { TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'a', Value: 'b' }] }] }],
  ['InstanceLimitExceeded', { MinCount: 2000, MaxCount: 2000 }],
])('a launch is refused with %s: %j', async (name, input) => {
  const before = await countAll();
  await expect(run(input)).rejects.toMatchObject({ name });
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'RunInstances', instance_ids: [], outcome: name, changed: [] });
  expect(await countAll()).toBe(before);
});

test.each<[EbsBlockDevice, object]>([
  [{}, { VolumeType: 'gp3', Size: 8, Iops: 3_000, Throughput: 125 }],
  [
    { VolumeSize: 500, Iops: 6_000, Throughput: 250 },
    { VolumeType: 'gp3', Size: 500, Iops: 6_000, Throughput: 250 },
  ],
  [
    { VolumeType: 'gp2', VolumeSize: 10 },
    { VolumeType: 'gp2', Size: 10, Iops: 100 },
  ],
  [
    { VolumeType: 'gp2', VolumeSize: 1_000 },
    { VolumeType: 'gp2', Size: 1_000, Iops: 3_000 },
  ],
  [
    { VolumeType: 'io2', VolumeSize: 100, Iops: 4_000 },
    { VolumeType: 'io2', Size: 100, Iops: 4_000 },
  ],
  [
    { VolumeType: 'standard', VolumeSize: 20 },
    { VolumeType: 'standard', Size: 20 },
  ],
])('a launch that asks for %j as its disk gets it', async (Ebs, seen) => {
  const launch = await run({ BlockDeviceMappings: [root(Ebs)] });
  const id = present(launch.Instances?.[0]?.InstanceId);
  const Filters = [{ Name: 'attachment.instance-id', Values: [id] }];
  const volume = only((await box.ec2.send(new DescribeVolumesCommand({ Filters }))).Volumes ?? []);
  const { VolumeType, Size, Iops, Throughput } = volume;
  expect(JSON.parse(JSON.stringify({ VolumeType, Size, Iops, Throughput }))).toEqual(seen);
  const snapshot = await box.ec2.send(new CreateSnapshotCommand({ VolumeId: present(volume.VolumeId) }));
  expect(snapshot.VolumeSize).toBe(Size);
});

test('no more instances live than the sandbox was told', async () => {
  const small = await startBox({ args: ['--max-instances', '24'] });
  try {
    const launch = (MinCount: number) =>
      small.ec2.send(new RunInstancesCommand({ ImageId: image, MinCount, MaxCount: 10 }));
    await expect(launch(3)).rejects.toMatchObject({
      name: 'InstanceLimitExceeded',
      message: expect.stringContaining('instance limit of 24 '),
    });
    expect((await launch(1)).Instances).toHaveLength(2);
  } finally {
    await small.end();
  }
});

test('a protected launch is protected', async () => {
  const id = present((await run({ DisableApiTermination: true })).Instances?.[0]?.InstanceId);
  const terminate = new TerminateInstancesCommand({ InstanceIds: [id] });
  await expect(box.ec2.send(terminate)).rejects.toMatchObject({ name: 'OperationNotPermitted' });
});

test('a dry run of any change says that it would have succeeded, does nothing and leaves no effect', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const VolumeId = present((await described(box, id)).BlockDeviceMappings?.[0]?.Ebs?.VolumeId);
  const before = effectsOf(box).length;
  const InstanceIds = [id];
  const wouldDo = { name: 'DryRunOperation', $metadata: { httpStatusCode: 412 } };
  const DryRun = true;
  const Tags = [{ Key: 'a', Value: 'b' }];
  const dryRuns = [
    run({ DryRun, ClientToken: 'dry' }),
    box.ec2.send(new StartInstancesCommand({ InstanceIds, DryRun })),
    box.ec2.send(new StopInstancesCommand({ InstanceIds, DryRun })),
    box.ec2.send(new RebootInstancesCommand({ InstanceIds, DryRun })),
    box.ec2.send(new TerminateInstancesCommand({ InstanceIds, DryRun })),
    box.ec2.send(new CreateTagsCommand({ Resources: InstanceIds, Tags, DryRun })),
    box.ec2.send(new DeleteTagsCommand({ Resources: InstanceIds, Tags, DryRun })),
    box.ec2.send(new CreateSnapshotCommand({ VolumeId, DryRun })),
    box.ec2.send(new DescribeInstancesCommand({ InstanceIds, DryRun })),
  ];
  for (const refused of await Promise.allSettled(dryRuns)) {
    expect(refused).toMatchObject({ status: 'rejected', reason: wouldDo });
  }
  await expect(box.ec2.send(new StopInstancesCommand({ InstanceIds: ['i-00000000'], DryRun }))).rejects.toMatchObject({
    name: 'InvalidInstanceID.NotFound',
  });
  expect(effectsOf(box)).toHaveLength(before);
  expect(await stateOf(box, id)).toBe('running');
  expect((await run({ ClientToken: 'dry', InstanceType: 't3.small' })).Instances).toHaveLength(1);
});
