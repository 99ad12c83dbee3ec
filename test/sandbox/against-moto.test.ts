// The same calls of the AWS SDK against the sandbox and against moto: same fields, same errors, or a difference that is listed.
import { paginateDescribeInstanceTypes } from '@aws-sdk/client-ec2';

import { clientOf, startBox } from './box.ts';
import { newSession, scenario } from './ec2-scenario.ts';
import { startMoto } from './moto.ts';
import { missingIn, shapeOf } from './shapes.ts';
import type { Shape } from './shapes.ts';

interface Seen {
  readonly outcome: string;
  readonly shape: Shape;
}

interface Difference {
  /** What the sandbox and what moto answers, where one refuses what the other does not. */
  readonly outcome?: readonly [sandbox: string, moto: string];
  readonly onlySandbox?: readonly string[];
  readonly onlyMoto?: readonly string[];
}

/** AWS has them and neither Fermata nor the sandbox has a use for them; moto puts the security groups on the interfaces. */
const ofInstances = (path: string, groups: 'with groups' | 'without groups'): Difference => ({
  onlySandbox: [`${path}.EnaSupport`, ...(groups === 'with groups' ? [`${path}.SecurityGroups[]`] : [])],
  onlyMoto: ['HibernationOptions', 'KernelId', 'MetadataOptions', 'NetworkInterfaces[]', 'SriovNetSupport'].map(
    (field) => `${path}.${field}`,
  ),
});
const described = 'Reservations[].Instances[]';
const running = ofInstances(described, 'with groups');
const withoutPublicName = [`${described}.PublicDnsName`];

const ofVolumes = (...fields: readonly string[]) => fields.map((field) => `Volumes[].${field}`);
const alwaysOfVolumes = ['Attachments[].DeleteOnTermination', 'MultiAttachEnabled', 'SnapshotId', 'Tags'];

const differences: Readonly<Record<string, Difference>> = {
  launch: ofInstances('Instances[]', 'with groups'),
  'describe running': running,
  'describe by filters': running,
  // AWS and the sandbox have an empty name where there is no address; moto leaves the field out.
  'describe stopped': { ...running, onlySandbox: [...(running.onlySandbox ?? []), ...withoutPublicName] },
  // moto keeps the network of a terminated instance; AWS and the sandbox take it away.
  'describe terminated': {
    onlySandbox: [...(ofInstances(described, 'without groups').onlySandbox ?? []), ...withoutPublicName],
    onlyMoto: [
      ...(running.onlyMoto ?? []),
      ...['PrivateIpAddress', 'SourceDestCheck', 'SubnetId', 'VpcId'].map((field) => `${described}.${field}`),
    ],
  },
  // moto's usual disk is a gp2 of which it tells no IOPS.
  volumes: { onlySandbox: ofVolumes(...alwaysOfVolumes, 'Iops', 'Throughput') },
  'volumes that a launch asked for': { onlySandbox: ofVolumes(...alwaysOfVolumes, 'Throughput') },
  // The sandbox tells processors, memory and GPUs of a type, which is what a choice of machine needs.
  types: {
    onlyMoto: [
      'AutoRecoverySupported',
      'BurstablePerformanceSupported',
      'DedicatedHostsSupported',
      'EbsInfo',
      'GpuInfo.Gpus[].GpuPartitionSize',
      'GpuInfo.Gpus[].LogicalGpuCount',
      'GpuInfo.Gpus[].Workloads',
      'HibernationSupported',
      'InstanceStorageInfo',
      'InstanceStorageSupported',
      'NetworkInfo',
      'NitroEnclavesSupport',
      'NitroTpmInfo',
      'NitroTpmSupport',
      'PhcSupport',
      'PlacementGroupInfo',
      'ProcessorInfo.Manufacturer',
      'ProcessorInfo.SustainedClockSpeedInGhz',
      'RebootMigrationSupport',
      'SupportedBootModes',
      'SupportedInRegion',
      'SupportedRootDeviceTypes',
      'SupportedUsageClasses',
      'SupportedVirtualizationTypes',
    ].map((field) => `InstanceTypes[].${field}`),
  },
  // From here on moto lets pass what AWS refuses.
  'launch with other parameters under the same token': { outcome: ['IdempotentParameterMismatch 400', 'ok'] },
  'launch of an unknown type': { outcome: ['InvalidParameterValue 400', 'ok'] },
  'launch of a malformed image': { outcome: ['InvalidAMIID.Malformed 400', 'ok'] },
  'launch of fewer than one': { outcome: ['InvalidParameterValue 400', 'ok'] },
  'describe malformed': { outcome: ['InvalidInstanceID.Malformed 400', 'InvalidInstanceID.NotFound 400'] },
  'describe a page of one': { outcome: ['InvalidParameterValue 400', 'ok'] },
  'describe by an unknown filter': { outcome: ['InvalidParameterValue 400', 'Error 500'] },
  'tag unknown': { outcome: ['InvalidInstanceID.NotFound 400', 'ok'] },
  'tag nothing': { outcome: ['MissingParameter 400', 'ok'] },
  'stop nothing': { outcome: ['MissingParameter 400', 'ok'] },
  'reboot stopped': { outcome: ['IncorrectState 400', 'ok'] },
  'start terminated': { outcome: ['IncorrectInstanceState 400', 'ok'] },
  'stop terminated': { outcome: ['IncorrectInstanceState 400', 'ok'] },
};

interface Pair {
  readonly sandbox: ReadonlyMap<string, Seen>;
  readonly moto: ReadonlyMap<string, Seen>;
  readonly types: readonly [sandbox: Figures, moto: Figures];
}
type Figures = readonly string[];

let pair: Pair | undefined;

/** Undefined, with a word on why, where moto cannot be had. */
async function compared(): Promise<Pair | undefined> {
  const moto = await startMoto();
  if (typeof moto === 'string') {
    process.stdout.write(`skipped: ${moto}\n`);
    return undefined;
  }
  const box = await startBox();
  try {
    const types = [await figuresOf(box.url), await figuresOf(moto.url)] as const;
    return { sandbox: await played(box.url), moto: await played(moto.url), types };
  } finally {
    await box.end();
    await moto.end();
  }
}

beforeAll(async () => {
  pair = await compared();
}, 360_000);

test('every listed difference is of a step', () => {
  const steps = scenario.map(([name]) => name);
  expect(new Set(steps).size).toBe(steps.length);
  expect(Object.keys(differences).filter((name) => !steps.includes(name))).toEqual([]);
});

test.each(scenario)('%s: the same fields or refusal, but for the listed differences', (name) => {
  if (!pair) return;
  const { outcome, onlySandbox = [], onlyMoto = [] } = differences[name] ?? {};
  expect(differenceOf(seenIn(pair.sandbox, name), seenIn(pair.moto, name))).toEqual({
    outcome,
    onlySandbox: [...onlySandbox].sort(),
    onlyMoto: [...onlyMoto].sort(),
  });
});

test('the types have the figures of AWS', () => {
  if (!pair) return;
  const [sandbox, moto] = pair.types;
  expect(sandbox.length).toBeGreaterThan(15);
  expect(sandbox.filter((figures) => !moto.includes(figures))).toEqual([]);
});

function seenIn(all: ReadonlyMap<string, Seen>, name: string): Seen {
  return all.get(name) ?? { outcome: 'not seen', shape: new Map() };
}

async function played(url: string): Promise<Map<string, Seen>> {
  const ec2 = clientOf(url);
  const session = newSession(ec2);
  const seen = new Map<string, Seen>();
  for (const [name, act] of scenario) seen.set(name, await seenOf(act(session)));
  ec2.destroy();
  return seen;
}

async function seenOf(answer: Promise<unknown>): Promise<Seen> {
  try {
    return { outcome: 'ok', shape: shapeOf(await answer) };
  } catch (problem) {
    const { name, $metadata } = JSON.parse(JSON.stringify({ name: 'Error', ...Object(problem) }));
    return { outcome: `${name} ${$metadata?.httpStatusCode}`, shape: new Map() };
  }
}

function differenceOf(sandbox: Seen, moto: Seen) {
  const differ = sandbox.outcome !== moto.outcome;
  return {
    outcome: differ ? [sandbox.outcome, moto.outcome] : undefined,
    onlySandbox: differ ? [] : missingIn(moto.shape, sandbox.shape).sort(),
    onlyMoto: differ ? [] : missingIn(sandbox.shape, moto.shape).sort(),
  };
}

/** One line a type: processors, memory, GPUs. */
async function figuresOf(url: string): Promise<Figures> {
  const ec2 = clientOf(url);
  const figures: string[] = [];
  for await (const { InstanceTypes = [] } of paginateDescribeInstanceTypes({ client: ec2 }, {})) {
    for (const { InstanceType, VCpuInfo, MemoryInfo, GpuInfo } of InstanceTypes) {
      const gpus = GpuInfo?.Gpus?.map(({ Name, Count, MemoryInfo: memory }) => [Name, Count, memory?.SizeInMiB]);
      figures.push(JSON.stringify([InstanceType, VCpuInfo?.DefaultVCpus, MemoryInfo?.SizeInMiB, gpus ?? []]));
    }
  }
  ec2.destroy();
  return figures;
}
