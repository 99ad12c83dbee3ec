// The root volume of an instance: what a launch may ask for, and what it gets otherwise.
import type { Query } from './query.ts';
import type { Disk, Instance } from './records.ts';
import { invalidValue, Refusal } from './refusal.ts';

const rootDevice = '/dev/xvda';
const usual: Disk = { kind: 'gp3', size_gib: 8, iops: 3_000, throughput: 125 };

type Range = readonly [least: number, most: number];

interface Kind {
  /** GiB. */
  readonly size: Range;
  /** What may be asked for; `perGib` bounds it by the size. Without it the size decides, or nothing. */
  readonly iops?: { readonly range: Range; readonly perGib: number };
  readonly throughput?: Range;
}

/** Those that can be a root volume, from the EBS user guide. */
const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['gp2', { size: [1, 16_384] }],
  ['gp3', { size: [1, 65_536], iops: { range: [3_000, 80_000], perGib: 500 }, throughput: [125, 2_000] }],
  ['io1', { size: [4, 16_384], iops: { range: [100, 64_000], perGib: 50 } }],
  ['io2', { size: [4, 65_536], iops: { range: [100, 256_000], perGib: 1_000 } }],
  ['standard', { size: [1, 1_024] }],
]);

export const diskOf = ({ disk }: Instance): Disk => disk ?? usual;

/** The root volume a launch asks for; undefined when it says nothing of it. */
export function rootDiskOf(query: Query): Disk | undefined {
  const [mapping, ...others] = query.groups('BlockDeviceMapping');
  if (!mapping) return undefined;
  mapping.knowsOnly(['DeviceName', 'Ebs']);
  const device = mapping.required('DeviceName');
  // The sandbox has root volumes only, and says so instead of leaving out a disk that was asked for.
  if (others.length > 0 || device !== rootDevice) {
    throw new Refusal('InvalidBlockDeviceMapping', `The sandbox knows one device, ${rootDevice}.`);
  }
  const ebs = mapping.group('Ebs');
  ebs?.knowsOnly(['VolumeSize', 'VolumeType', 'Iops', 'Throughput']);
  const name = ebs?.text('VolumeType') ?? usual.kind;
  const kind = kinds.get(name);
  if (!kind) throw invalidValue(`Invalid volume type '${name}' for a root volume.`);
  const size = within(kind.size, ebs?.integer('VolumeSize') ?? usual.size_gib, `${name} size`);
  return {
    kind: name,
    size_gib: size,
    iops: iopsOf(name, kind, size, ebs?.integer('Iops')),
    throughput: throughputOf(name, kind, ebs?.integer('Throughput')),
  };
}

function iopsOf(name: string, { iops }: Kind, size: number, asked: number | undefined): number {
  if (!iops) {
    if (asked !== undefined) throw notFor('iops', name);
    return name === 'gp2' ? Math.min(16_000, Math.max(100, 3 * size)) : 0;
  }
  const granted = asked ?? (name === usual.kind ? usual.iops : undefined);
  if (granted === undefined) {
    throw new Refusal('MissingParameter', `The parameter iops must be specified for ${name} volumes.`);
  }
  const [least, most] = iops.range;
  return within([least, Math.max(least, Math.min(most, iops.perGib * size))], granted, `${name} iops`);
}

function throughputOf(name: string, { throughput }: Kind, asked: number | undefined): number {
  if (throughput) return within(throughput, asked ?? usual.throughput, `${name} throughput`);
  if (asked !== undefined) throw notFor('throughput', name);
  return 0;
}

function within([least, most]: Range, value: number, what: string): number {
  if (value < least || value > most) throw invalidValue(`Volume ${what} of ${value} is not from ${least} to ${most}.`);
  return value;
}

const notFor = (parameter: string, name: string) =>
  new Refusal('InvalidParameterCombination', `The parameter ${parameter} is not supported for ${name} volumes.`);
