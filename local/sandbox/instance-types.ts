// The instance types this cloud offers, with the figures AWS publishes for them.
export interface Gpu {
  readonly name: string;
  readonly count: number;
  readonly memoryMib: number;
}

export interface InstanceType {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly gpu?: Gpu;
}

const a10g = (count: number): Gpu => ({ name: 'A10G', count, memoryMib: 22_888 });
const t4 = (count: number): Gpu => ({ name: 'T4', count, memoryMib: 16_384 });
const v100 = (count: number): Gpu => ({ name: 'V100', count, memoryMib: 32_768 });
const a100 = (count: number): Gpu => ({ name: 'A100', count, memoryMib: 40_960 });
const h100 = (count: number): Gpu => ({ name: 'H100', count, memoryMib: 81_920 });

const table: readonly InstanceType[] = [
  { name: 't3.micro', vcpus: 2, memoryMib: 1_024 },
  { name: 't3.small', vcpus: 2, memoryMib: 2_048 },
  { name: 't3.medium', vcpus: 2, memoryMib: 4_096 },
  { name: 't3.large', vcpus: 2, memoryMib: 8_192 },
  { name: 'm5.large', vcpus: 2, memoryMib: 8_192 },
  { name: 'm5.xlarge', vcpus: 4, memoryMib: 16_384 },
  { name: 'm5.2xlarge', vcpus: 8, memoryMib: 32_768 },
  { name: 'm5.4xlarge', vcpus: 16, memoryMib: 65_536 },
  { name: 'c5.large', vcpus: 2, memoryMib: 4_096 },
  { name: 'c5.xlarge', vcpus: 4, memoryMib: 8_192 },
  { name: 'r5.large', vcpus: 2, memoryMib: 16_384 },
  { name: 'r5.xlarge', vcpus: 4, memoryMib: 32_768 },
  { name: 'g4dn.xlarge', vcpus: 4, memoryMib: 16_384, gpu: t4(1) },
  { name: 'g4dn.12xlarge', vcpus: 48, memoryMib: 196_608, gpu: t4(4) },
  { name: 'g5.xlarge', vcpus: 4, memoryMib: 16_384, gpu: a10g(1) },
  { name: 'g5.2xlarge', vcpus: 8, memoryMib: 32_768, gpu: a10g(1) },
  { name: 'g5.12xlarge', vcpus: 48, memoryMib: 196_608, gpu: a10g(4) },
  { name: 'p3dn.24xlarge', vcpus: 96, memoryMib: 786_432, gpu: v100(8) },
  { name: 'p4d.24xlarge', vcpus: 96, memoryMib: 1_179_648, gpu: a100(8) },
  { name: 'p5.48xlarge', vcpus: 192, memoryMib: 2_097_152, gpu: h100(8) },
];

export const instanceTypes: ReadonlyMap<string, InstanceType> = new Map(table.map((type) => [type.name, type]));
