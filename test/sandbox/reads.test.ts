// What can be read: the machines it starts with, filters with wildcards, pages, types, volumes and status.
import {
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstanceTypesCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  paginateDescribeInstances,
} from '@aws-sdk/client-ec2';
import type {
  DescribeInstancesCommandInput,
  DescribeInstanceStatusCommandInput,
  Filter,
  Instance,
} from '@aws-sdk/client-ec2';

import { described, effectsOf, idOf, only, present, startBox } from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());

const tagOf = (instance: Instance, key: string) => instance.Tags?.find((tag) => tag.Key === key)?.Value;

async function find(...Filters: Filter[]): Promise<Instance[]> {
  const { Reservations = [] } = await box.ec2.send(new DescribeInstancesCommand({ Filters }));
  return Reservations.flatMap(({ Instances = [] }) => Instances);
}

const names = async (...filters: Filter[]) => (await find(...filters)).map((instance) => tagOf(instance, 'Name'));

test('it starts with the machines, clusters and services of the contract', async () => {
  const seen = (await find()).map((instance) => [
    tagOf(instance, 'Name'),
    instance.Placement?.AvailabilityZone,
    instance.State?.Name,
    instance.InstanceType,
  ]);
  expect(seen.slice(0, 5)).toEqual([
    ['vm-prod-01', 'us-east-1a', 'running', 'm5.xlarge'],
    ['vm-prod-02', 'us-east-1b', 'running', 'm5.xlarge'],
    ['vm-staging-01', 'us-east-1a', 'running', 't3.medium'],
    ['vm-dev-01', 'us-east-1c', 'stopped', 't3.micro'],
    ['gpu-train-01', 'us-east-1a', 'running', 'g5.xlarge'],
  ]);
  const nodes = await find({ Name: 'tag:cluster', Values: ['cluster-prod'] });
  expect(nodes.map((node) => tagOf(node, 'Name'))).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `cluster-prod-node-${n}`),
  );
  const launches = nodes.map((node) => present(node.LaunchTime).getTime());
  expect(launches).toEqual([...new Set(launches)].sort((one, other) => one - other));
  expect(await find({ Name: 'tag:cluster', Values: ['cluster-staging'] })).toHaveLength(3);
  const gateways = await find({ Name: 'tag:service', Values: ['api-gateway'] });
  expect(gateways.map((each) => tagOf(each, 'image'))).toEqual(['v1.0.0', 'v1.0.0', 'v1.0.0', 'v1.0.0']);
  expect(await names({ Name: 'tag:service', Values: ['web'] })).toEqual(['web-1', 'web-2']);
  for (const { InstanceId, PrivateIpAddress } of await find()) {
    expect(InstanceId).toMatch(/^i-[0-9a-f]{17}$/);
    expect(PrivateIpAddress).toMatch(/^10\.0\.0\.\d+$/);
  }
});

test('any value of a filter and all filters must match, with * and ? as wildcards', async () => {
  expect(await names({ Name: 'tag:Name', Values: ['vm-*'] }, { Name: 'instance-type', Values: ['t3.*'] })).toEqual([
    'vm-staging-01',
    'vm-dev-01',
  ]);
  expect(await names({ Name: 'tag:Name', Values: ['web-?', 'gpu-train-01'] })).toEqual([
    'gpu-train-01',
    'web-1',
    'web-2',
  ]);
  expect(await names({ Name: 'instance-state-name', Values: ['stopped'] })).toEqual(['vm-dev-01']);
  expect(await names({ Name: 'tag-key', Values: ['clus?er'] })).toHaveLength(11);
  expect(
    await names({ Name: 'availability-zone', Values: ['us-east-1c'] }, { Name: 'tag-key', Values: ['image'] }),
  ).toEqual(['api-gateway-3']);
  const id = await idOf(box, 'vm-prod-02');
  expect(await names({ Name: 'instance-id', Values: [id] })).toEqual(['vm-prod-02']);
  const { PrivateIpAddress, PublicIpAddress } = await described(box, id);
  expect(await names({ Name: 'private-ip-address', Values: [present(PrivateIpAddress)] })).toEqual(['vm-prod-02']);
  expect(await names({ Name: 'ip-address', Values: [present(PublicIpAddress)] })).toEqual(['vm-prod-02']);
  expect(await names({ Name: 'tag:Name', Values: ['VM-PROD-01'] })).toEqual([]);
  expect(await names({ Name: 'tag:Name', Values: ['vm.prod.01', '\\*'] })).toEqual([]);
  expect(await names({ Name: 'tag:Name', Values: [] })).toEqual([]);
});

test('pages hold every instance once, and a page of the same size as the rest is the last', async () => {
  const pages: number[] = [];
  const ids: (string | undefined)[] = [];
  for await (const { Reservations = [] } of paginateDescribeInstances({ client: box.ec2, pageSize: 5 }, {})) {
    const instances = Reservations.flatMap(({ Instances = [] }) => Instances);
    pages.push(instances.length);
    ids.push(...instances.map(({ InstanceId }) => InstanceId));
  }
  expect(pages).toEqual([5, 5, 5, 5, 2]);
  expect(new Set(ids).size).toBe(22);
  const whole = await box.ec2.send(new DescribeInstancesCommand({ MaxResults: 22 }));
  expect(whole.NextToken).toBeUndefined();
});

test('pages refuse sizes out of bounds, ids beside them and tokens of somebody else', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const refused = (input: DescribeInstancesCommandInput) =>
    expect(box.ec2.send(new DescribeInstancesCommand(input))).rejects;
  await refused({ MaxResults: 4 }).toMatchObject({ name: 'InvalidParameterValue' });
  await refused({ MaxResults: 1001 }).toMatchObject({ name: 'InvalidParameterValue' });
  await refused({ MaxResults: 5, InstanceIds: [id] }).toMatchObject({ name: 'InvalidParameterCombination' });
  await refused({ NextToken: 'bm9uc2Vuc2U' }).toMatchObject({ name: 'InvalidNextToken' });
  await refused({ Filters: [{ Name: 'colour', Values: ['red'] }] }).toMatchObject({
    name: 'InvalidParameterValue',
    message: "The filter 'colour' is invalid",
  });
  await refused({ Filters: [{ Name: 'constructor', Values: ['x'] }] }).toMatchObject({ name: 'InvalidParameterValue' });
});

test('status is of running instances unless all are asked for', async () => {
  const status = async (input: DescribeInstanceStatusCommandInput) =>
    (await box.ec2.send(new DescribeInstanceStatusCommand(input))).InstanceStatuses ?? [];
  expect(await status({})).toHaveLength(21);
  expect(await status({ IncludeAllInstances: true })).toHaveLength(22);
  const dev = await idOf(box, 'vm-dev-01');
  expect(await status({ InstanceIds: [dev] })).toEqual([]);
  const [first] = await status({ InstanceIds: [await idOf(box, 'vm-prod-01')] });
  expect(first).toMatchObject({
    InstanceState: { Code: 16, Name: 'running' },
    InstanceStatus: { Status: 'ok', Details: [{ Name: 'reachability', Status: 'passed' }] },
    SystemStatus: { Status: 'ok' },
  });
  const stopped = { Name: 'instance-state-name', Values: ['stopped'] };
  expect(await status({ IncludeAllInstances: true, Filters: [stopped] })).toHaveLength(1);
  for (const Name of ['instance-status.status', 'system-status.status']) {
    expect(await status({ Filters: [{ Name, Values: ['impaired'] }] })).toEqual([]);
    expect(await status({ Filters: [{ Name, Values: ['ok'] }], MaxResults: 30 })).toHaveLength(21);
  }
});

test('types tell processors, memory and GPUs', async () => {
  const types = async (...InstanceTypes: ('g5.xlarge' | 'm5.xlarge')[]) =>
    (await box.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes }))).InstanceTypes ?? [];
  expect(only(await types('m5.xlarge'))).toMatchObject({
    VCpuInfo: { DefaultVCpus: 4 },
    MemoryInfo: { SizeInMiB: 16384 },
  });
  expect(only(await types('g5.xlarge')).GpuInfo).toEqual({
    Gpus: [{ Name: 'A10G', Manufacturer: 'NVIDIA', Count: 1, MemoryInfo: { SizeInMiB: 22888 } }],
    TotalGpuMemoryInMiB: 22888,
  });
  const page = await box.ec2.send(new DescribeInstanceTypesCommand({ MaxResults: 5 }));
  const rest = await box.ec2.send(new DescribeInstanceTypesCommand({ NextToken: present(page.NextToken) }));
  const all = [...(page.InstanceTypes ?? []), ...(rest.InstanceTypes ?? [])].map(({ InstanceType }) => InstanceType);
  expect(new Set(all).size).toBe(all.length);
  const metal = new DescribeInstanceTypesCommand({ InstanceTypes: ['u-24tb1.metal'] });
  await expect(box.ec2.send(metal)).rejects.toMatchObject({ name: 'InvalidInstanceType' });
});

test('each instance has a root volume, and tags can be listed', async () => {
  const id = await idOf(box, 'gpu-train-01');
  const byInstance = new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] });
  const volume = only((await box.ec2.send(byInstance)).Volumes ?? []);
  expect(volume).toMatchObject({ State: 'in-use', Size: 8, Attachments: [{ InstanceId: id, Device: '/dev/xvda' }] });
  const byId = new DescribeVolumesCommand({ VolumeIds: [present(volume.VolumeId)] });
  expect((await box.ec2.send(byId)).Volumes).toEqual([volume]);
  const tags = new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [id] }] });
  expect((await box.ec2.send(tags)).Tags).toEqual([
    { ResourceId: id, ResourceType: 'instance', Key: 'Name', Value: 'gpu-train-01' },
  ]);
  const first = await box.ec2.send(new DescribeTagsCommand({ MaxResults: 30 }));
  const second = await box.ec2.send(new DescribeTagsCommand({ NextToken: present(first.NextToken) }));
  expect([...(first.Tags ?? []), ...(second.Tags ?? [])]).toHaveLength(22 + 8 + 3 + 6 * 2);
});

test('reads leave nothing in the effects', () => {
  expect(effectsOf(box)).toEqual([]);
});
