// An EC2 instance as Fermata sees it, and how instances are asked for.

export const INSTANCE_STATES = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];

/** Whether EC2's system and instance status checks pass; `none` when the instance does not run. */
export type Checks = 'ok' | 'initializing' | 'impaired' | 'none';

export interface Instance {
  readonly id: string;
  /** The Name tag; null when it has none. */
  readonly name: string | null;
  readonly state: InstanceState;
  readonly type: string;
  readonly zone: string;
  /** ISO time of its last start. */
  readonly launchTime: string;
  readonly publicIp: string | null;
  readonly privateIp: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

/** Which instances to look up: all, those with a tag, or the one that an id or a Name tag stands for. */
export type InstanceQuery =
  | { readonly kind: 'all' }
  | { readonly kind: 'tag'; readonly key: string; readonly value: string }
  | { readonly kind: 'one'; readonly ref: string };

/** What an operation looks at before it plans: instances, or a member with its instance, by id or name. */
export type Query = InstanceQuery | { readonly kind: 'member'; readonly ref: string };

const ON_THE_WAY: Readonly<Partial<Record<InstanceState, InstanceState>>> = {
  pending: 'running',
  stopping: 'stopped',
  'shutting-down': 'terminated',
};

/** The state an instance gets to by itself: to get there is no change of anybody's mind. */
export function settled(state: InstanceState): InstanceState {
  return ON_THE_WAY[state] ?? state;
}

const INSTANCE_ID = /^i-[0-9a-f]{8}(?:[0-9a-f]{9})?$/;

/** True for the form of an EC2 instance id; everything else is taken for a Name tag. */
export function isInstanceId(text: string): boolean {
  return INSTANCE_ID.test(text);
}

/** What leases are taken on: instance ids are unique in a region only. */
export function targetOf(region: string, instanceId: string): string {
  return `${region}/${instanceId}`;
}

/** The instance id of a target. */
export function instanceIdOf(target: string): string {
  return target.slice(target.lastIndexOf('/') + 1);
}

/** The region of a target; undefined when it is no instance. */
export function regionOf(target: string): string | undefined {
  const slash = target.lastIndexOf('/');
  const region = target.slice(0, slash);
  return isInstanceId(instanceIdOf(target)) ? region : undefined;
}
