// DescribeInstanceTypes: processors, memory and GPUs of the types this cloud offers.
import type { Read } from './action.ts';
import { filtered, filtersOf } from '../filters.ts';
import type { Fields } from '../filters.ts';
import { instanceTypes } from '../instance-types.ts';
import type { Gpu, InstanceType } from '../instance-types.ts';
import { page } from '../paging.ts';
import { Refusal } from '../refusal.ts';
import type { Branch } from '../xml.ts';

const fields: Fields<InstanceType> = {
  'instance-type': (type) => type.name,
  'vcpu-info.default-vcpus': (type) => String(type.vcpus),
  'memory-info.size-in-mib': (type) => String(type.memoryMib),
};

export const describeInstanceTypes: Read = {
  kind: 'read',
  name: 'DescribeInstanceTypes',
  parameters: ['InstanceType', 'Filter', 'MaxResults', 'NextToken'],
  run({ query }) {
    const names = query.list('InstanceType');
    const unknown = names.filter((name) => !instanceTypes.has(name));
    if (unknown.length > 0) {
      throw new Refusal(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${unknown.join(', ')}]`,
      );
    }
    const asked = [...instanceTypes.values()].filter(({ name }) => names.length === 0 || names.includes(name));
    const found = filtered(asked, filtersOf(query), fields);
    found.sort((one, other) => (one.name < other.name ? -1 : 1));
    const { items, nextToken } = page(query, found, {
      least: 5,
      most: 100,
      ids: { name: 'InstanceType', called: 'instanceTypesSet' },
      keyOf: ({ name }) => name,
    });
    return { instanceTypeSet: items.map(typeXml), nextToken };
  },
};

function typeXml(type: InstanceType): Branch {
  return {
    instanceType: type.name,
    currentGeneration: true,
    freeTierEligible: type.name === 't3.micro',
    bareMetal: false,
    hypervisor: 'nitro',
    processorInfo: { supportedArchitectures: ['x86_64'] },
    vCpuInfo: { defaultVCpus: type.vcpus, defaultCores: type.vcpus / 2, defaultThreadsPerCore: 2 },
    memoryInfo: { sizeInMiB: type.memoryMib },
    ...(type.gpu ? { gpuInfo: gpuXml(type.gpu) } : {}),
  };
}

const gpuXml = (gpu: Gpu): Branch => ({
  gpus: [{ name: gpu.name, manufacturer: 'NVIDIA', count: gpu.count, memoryInfo: { sizeInMiB: gpu.memoryMib } }],
  totalGpuMemoryInMiB: gpu.memoryMib * gpu.count,
});
