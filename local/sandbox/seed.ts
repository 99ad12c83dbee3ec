// The machines a new sandbox starts with: the instances, clusters, services and the GPU machine the contract names.
import { imageId } from './addresses.ts';
import type { Cloud } from './cloud.ts';
import { askedByUser, noReason } from './lifecycle.ts';
import type { Instance, Records } from './records.ts';

interface Planned {
  readonly name: string;
  readonly zone: string;
  readonly type: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly stopped?: boolean;
}

const hourMs = 3_600_000;
const zones = ['a', 'b', 'c'] as const;

const single: readonly Planned[] = [
  { name: 'vm-prod-01', zone: 'a', type: 'm5.xlarge' },
  { name: 'vm-prod-02', zone: 'b', type: 'm5.xlarge' },
  { name: 'vm-staging-01', zone: 'a', type: 't3.medium' },
  { name: 'vm-dev-01', zone: 'c', type: 't3.micro', stopped: true },
  { name: 'gpu-train-01', zone: 'a', type: 'g5.xlarge' },
];

const fleet: readonly Planned[] = [
  ...single,
  ...alike('cluster-prod-node', 8, { type: 'm5.large', tags: { cluster: 'cluster-prod' } }),
  ...alike('cluster-staging-node', 3, { type: 't3.medium', tags: { cluster: 'cluster-staging' } }),
  ...alike('api-gateway', 4, { type: 'm5.large', tags: { service: 'api-gateway', image: 'v1.0.0' } }),
  ...alike('web', 2, { type: 't3.medium', tags: { service: 'web', image: 'v1.0.0' } }),
];

/** Each was launched an hour after the one before it, so the newest node of a cluster is its last. */
export function seed(cloud: Cloud, now: number): Partial<Records> {
  const firstLaunch = now - (fleet.length + 24) * hourMs;
  return { instances: fleet.map((planned, index) => instanceOf(cloud, planned, firstLaunch + index * hourMs)) };
}

function alike(name: string, count: number, rest: Pick<Planned, 'type' | 'tags'>): Planned[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${name}-${index + 1}`,
    zone: zones[index % zones.length] ?? 'a',
    ...rest,
  }));
}

function instanceOf(cloud: Cloud, planned: Planned, launchedAt: number): Instance {
  const number = cloud.nextNumber();
  const reason = planned.stopped ? askedByUser(launchedAt) : noReason;
  return {
    id: cloud.seedId('i', planned.name),
    number,
    reservation_id: cloud.seedId('r', planned.name),
    client_token: '',
    type: planned.type,
    image_id: imageId,
    zone: cloud.settings.region + planned.zone,
    tags: { Name: planned.name, ...planned.tags },
    protected: false,
    launch_index: 0,
    created_at_ms: launchedAt,
    passing: planned.stopped ? 'stopping' : 'pending',
    settled: planned.stopped ? 'stopped' : 'running',
    settles_at_ms: launchedAt,
    launched_at_ms: launchedAt,
    checks_settle_at_ms: launchedAt,
    reboots: 0,
    public_number: number,
    reason: reason.text,
    reason_code: reason.code,
    reason_message: reason.message,
    volume_id: cloud.seedId('vol', planned.name),
    volume_tags: {},
    disk: undefined,
  };
}
