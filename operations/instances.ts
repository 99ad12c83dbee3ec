// The reads: which instances there are, and what one of them looks like.
import { z } from 'zod';
import { readOperation } from './operation.ts';
import { instanceParams, only, shown } from './targets.ts';

export const listInstances = readOperation({
  name: 'list_instances',
  description: 'List all VM instances',
  effect: 'read',
  params: z.strictObject({}),
  reads: () => ({ kind: 'all' }),
  answer: (_, seen) => ({ instances: seen.map(shown), total_count: seen.length }),
});

export const describeInstance = readOperation({
  name: 'describe_instance',
  description: 'Get details for a single VM instance',
  effect: 'read',
  params: instanceParams,
  reads: ({ instance_id }) => ({ kind: 'one', ref: instance_id }),
  answer: ({ instance_id }, seen) => {
    const instance = only(seen, instance_id);
    return {
      ...shown(instance),
      launch_time: instance.launchTime,
      public_ip: instance.publicIp,
      private_ip: instance.privateIp,
      tags: { ...instance.tags },
    };
  },
});
