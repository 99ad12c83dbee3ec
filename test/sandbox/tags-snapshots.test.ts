// Tags on instances, volumes and snapshots, and snapshots of root volumes.
import {
  CreateSnapshotCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeSnapshotsCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Tag } from '@aws-sdk/client-ec2';

import { described, effectsOf, idOf, only, present, reaches, startBox, until } from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());

const tag = (id: string, ...Tags: Tag[]) => box.ec2.send(new CreateTagsCommand({ Resources: [id], Tags }));
const untag = (id: string, ...Tags: Tag[]) => box.ec2.send(new DeleteTagsCommand({ Resources: [id], Tags }));
const volumeOf = async (id: string) => present((await described(box, id)).BlockDeviceMappings?.[0]?.Ebs?.VolumeId);

const tagsOf = async (id: string) => {
  const { Tags = [] } = await described(box, id);
  return Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
};

test('tags are set, overwritten and deleted, and only real changes count', async () => {
  const id = await idOf(box, 'web-1');
  await tag(id, { Key: 'image', Value: 'v2.0.0' }, { Key: '__proto__', Value: 'odd <&> "é"\r\n' });
  expect(await tagsOf(id)).toEqual(
    Object.fromEntries([
      ['Name', 'web-1'],
      ['service', 'web'],
      ['image', 'v2.0.0'],
      ['__proto__', 'odd <&> "é"\r\n'],
    ]),
  );
  expect(effectsOf(box).at(-1)).toMatchObject({
    action: 'CreateTags',
    instance_ids: [id],
    changed: [id],
    tags: { image: 'v2.0.0' },
  });
  await tag(id, { Key: 'image', Value: 'v2.0.0' });
  expect(effectsOf(box).at(-1)).toMatchObject({ outcome: 'ok', changed: [] });
  await untag(id, { Key: 'image', Value: 'v1.0.0' }, { Key: '__proto__' }, { Key: 'never' });
  expect(await tagsOf(id)).toEqual({ Name: 'web-1', service: 'web', image: 'v2.0.0' });
  await untag(id, { Key: 'image', Value: 'v2.0.0' });
  expect(await tagsOf(id)).toEqual({ Name: 'web-1', service: 'web' });
  await untag(id);
  expect(await tagsOf(id)).toEqual({});
});

test('one call tags an instance and its volume, and all or none', async () => {
  const id = await idOf(box, 'web-2');
  const volume = await volumeOf(id);
  const both = new CreateTagsCommand({ Resources: [id, volume], Tags: [{ Key: 'run', Value: '7' }] });
  await box.ec2.send(both);
  expect(effectsOf(box).at(-1)?.changed).toEqual([id, volume]);
  const half = new CreateTagsCommand({ Resources: [id, 'i-00000000'], Tags: [{ Key: 'half', Value: '' }] });
  await expect(box.ec2.send(half)).rejects.toMatchObject({ name: 'InvalidInstanceID.NotFound' });
  expect(await tagsOf(id)).toMatchObject({ run: '7' });
  expect(await tagsOf(id)).not.toHaveProperty('half');
});

test('tags are refused as AWS refuses them', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const many = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: '' }));
  await expect(tag(id, ...many)).rejects.toMatchObject({ name: 'TagLimitExceeded' });
  await expect(tag(id, { Key: 'aws:mine', Value: '' })).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  await expect(tag(id, { Key: 'k'.repeat(129), Value: '' })).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  await expect(tag(id, { Key: 'k', Value: 'v'.repeat(257) })).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  await expect(tag(id, { Key: 'k', Value: '1' }, { Key: 'k', Value: '2' })).rejects.toMatchObject({
    name: 'InvalidParameterValue',
  });
  await expect(tag(id, { Key: 'k', Value: 'a\u0000b' })).rejects.toMatchObject({ name: 'InvalidCharacter' });
  await expect(tag(id)).rejects.toMatchObject({ name: 'MissingParameter' });
  await expect(tag('ami-12345678', { Key: 'k', Value: '' })).rejects.toMatchObject({ name: 'InvalidID' });
  await expect(tag('snap-12345678', { Key: 'k', Value: '' })).rejects.toMatchObject({
    name: 'InvalidSnapshot.NotFound',
  });
  await expect(tag('vol-12345678', { Key: 'k', Value: '' })).rejects.toMatchObject({ name: 'InvalidVolume.NotFound' });
  expect(await tagsOf(id)).toEqual({ Name: 'vm-prod-01' });
});

test('a snapshot is pending, then completed, and outlives its instance', async () => {
  const id = await idOf(box, 'cluster-staging-node-2');
  const VolumeId = await volumeOf(id);
  const made = await box.ec2.send(
    new CreateSnapshotCommand({
      VolumeId,
      Description: 'before',
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'task', Value: '1' }] }],
    }),
  );
  expect(made).toMatchObject({
    VolumeId,
    State: 'pending',
    Description: 'before',
    Tags: [{ Key: 'task', Value: '1' }],
  });
  const snapshot = present(made.SnapshotId);
  expect(effectsOf(box).at(-1)).toMatchObject({
    action: 'CreateSnapshot',
    instance_ids: [id],
    volume_id: VolumeId,
    snapshot_id: snapshot,
    changed: [snapshot],
  });
  const read = async () =>
    only((await box.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshot] }))).Snapshots ?? []);
  await until('the snapshot is completed', async () => (await read()).State === 'completed');
  expect(await read()).toMatchObject({ Progress: '100%', VolumeSize: 8, OwnerId: '123456789012' });
  await box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'terminated');
  await expect(box.ec2.send(new CreateSnapshotCommand({ VolumeId }))).rejects.toMatchObject({
    name: 'InvalidVolume.NotFound',
  });
  await tag(snapshot, { Key: 'kept', Value: 'yes' });
  expect((await read()).Tags).toContainEqual({ Key: 'kept', Value: 'yes' });
});

test('snapshots are found by filters, owners and pages', async () => {
  const VolumeId = await volumeOf(await idOf(box, 'vm-prod-02'));
  for (const Description of ['1', '2', '3', '4', '5', '6']) {
    await box.ec2.send(new CreateSnapshotCommand({ VolumeId, Description }));
  }
  const Filters = [{ Name: 'volume-id', Values: [VolumeId] }];
  const first = await box.ec2.send(new DescribeSnapshotsCommand({ Filters, OwnerIds: ['self'], MaxResults: 5 }));
  const second = await box.ec2.send(new DescribeSnapshotsCommand({ Filters, NextToken: present(first.NextToken) }));
  const found = [...(first.Snapshots ?? []), ...(second.Snapshots ?? [])].map(({ Description }) => Description);
  expect(found).toEqual(['1', '2', '3', '4', '5', '6']);
  const others = await box.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['999999999999'] }));
  expect(others.Snapshots).toEqual([]);
  const refused = (SnapshotIds: string[]) =>
    expect(box.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds }))).rejects;
  await refused(['snap-12345678']).toMatchObject({ name: 'InvalidSnapshot.NotFound' });
  await refused(['vol-12345678']).toMatchObject({ name: 'InvalidSnapshotID.Malformed' });
});
