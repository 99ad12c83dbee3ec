// One scenario of EC2 calls, the same for every endpoint: launch, describe, power, tags, snapshots, refusals, the end.
import {
  CreateSnapshotCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstanceTypesCommand,
  DescribeSnapshotsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  ModifyInstanceAttributeCommand,
  RebootInstancesCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { EC2Client, RunInstancesCommandInput } from '@aws-sdk/client-ec2';

import { described, present, reaches } from './box.ts';

export interface Session {
  readonly ec2: EC2Client;
  id: string;
  volume: string;
  snapshot: string;
}

export type Step = readonly [name: string, act: (session: Session) => Promise<unknown>];

export const newSession = (ec2: EC2Client): Session => ({ ec2, id: '', volume: '', snapshot: '' });

const gone = 'i-00000000000000000';
const ClientToken = 'compared';
const launch: RunInstancesCommandInput = {
  ImageId: 'ami-12345678',
  MinCount: 1,
  MaxCount: 1,
  InstanceType: 't3.micro',
  Placement: { AvailabilityZone: 'us-east-1a' },
  TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'compared' }] }],
};
const run = ({ ec2 }: Session, input: Partial<RunInstancesCommandInput>) =>
  ec2.send(new RunInstancesCommand({ ...launch, ...input }));
const describe = ({ ec2, id }: Session, more: object = {}) =>
  ec2.send(new DescribeInstancesCommand({ InstanceIds: [id], ...more }));
const named = [{ Name: 'tag:Name', Values: ['comp?red'] }];
const gp3 = { VolumeType: 'gp3' as const, VolumeSize: 20 };
const Tags = [{ Key: 'colour', Value: 'red' }];

/** Waits that belong to no step: a step starts in a settled cloud. */
const settled = async (session: Session, state: string) => reaches(session, session.id, state);

export const scenario: readonly Step[] = [
  [
    'launch',
    async (session) => {
      const answer = await run(session, { ClientToken });
      session.id = present(answer.Instances?.[0]?.InstanceId);
      return answer;
    },
  ],
  ['launch with other parameters under the same token', (session) => run(session, { ClientToken, MaxCount: 2 })],
  ['launch of an unknown type', (session) => run(session, { InstanceType: 'a1.metal' })],
  ['launch of a malformed image', (session) => run(session, { ImageId: 'windows' })],
  ['launch in another region', (session) => run(session, { Placement: { AvailabilityZone: 'eu-west-1a' } })],
  ['launch of fewer than one', (session) => run(session, { MinCount: 0 })],
  ['dry run of a launch', (session) => run(session, { DryRun: true })],
  [
    'describe running',
    async (session) => {
      await settled(session, 'running');
      const { BlockDeviceMappings } = await described(session, session.id);
      session.volume = present(BlockDeviceMappings?.[0]?.Ebs?.VolumeId);
      return describe(session);
    },
  ],
  ['describe by filters', ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ Filters: named }))],
  [
    'describe none',
    ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: 'tag:Name', Values: ['nobody'] }] })),
  ],
  ['describe unknown', ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ InstanceIds: [gone] }))],
  ['describe two unknown', ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ InstanceIds: [gone, 'i-00000000'] }))],
  ['describe malformed', ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ InstanceIds: ['vm-prod-01'] }))],
  ['describe ids and a page', (session) => describe(session, { MaxResults: 5 })],
  ['describe a page of one', ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ MaxResults: 1 }))],
  ['describe by an unknown filter', (session) => describe(session, { Filters: [{ Name: 'colour', Values: ['red'] }] })],
  ['dry run of a read', (session) => describe(session, { DryRun: true })],
  ['status running', ({ ec2, id }) => ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [id] }))],
  ['status unknown', ({ ec2 }) => ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [gone] }))],
  ['volumes', ({ ec2, volume }) => ec2.send(new DescribeVolumesCommand({ VolumeIds: [volume] }))],
  [
    'volumes that a launch asked for',
    async (session) => {
      const BlockDeviceMappings = [{ DeviceName: '/dev/xvda', Ebs: gp3 }];
      const { Instances } = await run(session, { TagSpecifications: [], BlockDeviceMappings });
      const id = present(Instances?.[0]?.InstanceId);
      await reaches(session, id, 'running');
      const Filters = [{ Name: 'attachment.instance-id', Values: [id] }];
      return session.ec2.send(new DescribeVolumesCommand({ Filters }));
    },
  ],
  ['volumes unknown', ({ ec2 }) => ec2.send(new DescribeVolumesCommand({ VolumeIds: ['vol-00000000'] }))],
  ['types', ({ ec2 }) => ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['g5.xlarge'] }))],
  ['types unknown', ({ ec2 }) => ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['u-24tb1.metal'] }))],
  ['tag', ({ ec2, id }) => ec2.send(new CreateTagsCommand({ Resources: [id], Tags }))],
  ['tag unknown', ({ ec2 }) => ec2.send(new CreateTagsCommand({ Resources: [gone], Tags }))],
  ['tag nothing', ({ ec2, id }) => ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [] }))],
  [
    'tag too much',
    ({ ec2, id }) => {
      const many = Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: '' }));
      return ec2.send(new CreateTagsCommand({ Resources: [id], Tags: many }));
    },
  ],
  ['tags', ({ ec2, id }) => ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [id] }] }))],
  ['untag', ({ ec2, id }) => ec2.send(new DeleteTagsCommand({ Resources: [id], Tags }))],
  [
    'snapshot',
    async (session) => {
      const TagSpecifications = [{ ResourceType: 'snapshot' as const, Tags }];
      const command = new CreateSnapshotCommand({ VolumeId: session.volume, Description: 'before', TagSpecifications });
      const answer = await session.ec2.send(command);
      session.snapshot = present(answer.SnapshotId);
      return answer;
    },
  ],
  ['snapshot of unknown', ({ ec2 }) => ec2.send(new CreateSnapshotCommand({ VolumeId: 'vol-00000000' }))],
  [
    'dry run of a snapshot',
    ({ ec2, volume }) => ec2.send(new CreateSnapshotCommand({ VolumeId: volume, DryRun: true })),
  ],
  ['snapshots', ({ ec2, snapshot }) => ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshot] }))],
  ['snapshots unknown', ({ ec2 }) => ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: ['snap-00000000'] }))],
  ['dry run of a stop', ({ ec2, id }) => ec2.send(new StopInstancesCommand({ InstanceIds: [id], DryRun: true }))],
  ['stop', ({ ec2, id }) => ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))],
  ['stop unknown', ({ ec2 }) => ec2.send(new StopInstancesCommand({ InstanceIds: [gone] }))],
  ['stop nothing', ({ ec2 }) => ec2.send(new StopInstancesCommand({ InstanceIds: [] }))],
  [
    'describe stopped',
    async (session) => {
      await settled(session, 'stopped');
      return describe(session);
    },
  ],
  [
    'status stopped',
    ({ ec2, id }) => ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [id], IncludeAllInstances: true })),
  ],
  ['stop stopped', ({ ec2, id }) => ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))],
  ['reboot stopped', ({ ec2, id }) => ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))],
  ['start', ({ ec2, id }) => ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))],
  [
    'start running',
    async (session) => {
      await settled(session, 'running');
      return session.ec2.send(new StartInstancesCommand({ InstanceIds: [session.id] }));
    },
  ],
  ['reboot', ({ ec2, id }) => ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))],
  ['reboot unknown', ({ ec2 }) => ec2.send(new RebootInstancesCommand({ InstanceIds: [gone] }))],
  [
    'protect',
    ({ ec2, id }) =>
      ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value: true } })),
  ],
  ['terminate protected', ({ ec2, id }) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))],
  [
    'terminate',
    async ({ ec2, id }) => {
      await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value: false } }));
      return ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    },
  ],
  ['terminate unknown', ({ ec2 }) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }))],
  [
    'describe terminated',
    async (session) => {
      await settled(session, 'terminated');
      return describe(session);
    },
  ],
  ['start terminated', ({ ec2, id }) => ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))],
  ['stop terminated', ({ ec2, id }) => ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))],
  ['terminate terminated', ({ ec2, id }) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))],
];
