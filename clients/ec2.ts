// The one place that talks to EC2: narrow calls in Fermata's words, each made once, with every error classified.
import {
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeVolumesCommand,
  EC2Client,
  GetConsoleOutputCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Filter } from '@aws-sdk/client-ec2';
import type { Disk } from '../domain/disks.ts';
import { Failure } from '../domain/failures.ts';
import type { Checks, Instance, InstanceQuery } from '../domain/instance.ts';
import { isInstanceId } from '../domain/instance.ts';
import { failureOf, isNotFound } from './ec2-errors.ts';
import { diskOf, instanceOf } from './ec2-shapes.ts';

export interface CallOptions {
  /** Ends a read at once; a mutating call is never abandoned, it only has its timeout. */
  readonly signal?: AbortSignal;
}

export interface Ec2 {
  readonly region: string;
  /** The instances a query stands for; an unknown id or name gives none. Throws `TargetAmbiguous` for a shared name. */
  find(query: InstanceQuery, options?: CallOptions): Promise<Instance[]>;
  /** Those of these instances that there are, at most 200 ids in one call. */
  findAll(ids: readonly string[], options?: CallOptions): Promise<Instance[]>;
  /** The disks attached to each of these instances, at most 200 ids in one call; none for one that there is not. */
  disksOf(ids: readonly string[], options?: CallOptions): Promise<ReadonlyMap<string, readonly Disk[]>>;
  /** Running instances that carry one of Fermata's tags: `fermata:member`, or `managed-by` = `fermata`. */
  findTagged(options?: CallOptions): Promise<Instance[]>;
  /** Status checks of one instance. */
  checks(instanceId: string, options?: CallOptions): Promise<Checks>;
  start(instanceId: string): Promise<void>;
  stop(instanceId: string): Promise<void>;
  reboot(instanceId: string): Promise<void>;
  terminate(instanceId: string): Promise<void>;
  /** Sets a tag; null removes it. */
  setTag(instanceId: string, key: string, value: string | null): Promise<void>;
  /** What the instance last wrote to its console; empty when EC2 has nothing yet. */
  consoleOutput(instanceId: string, options?: CallOptions): Promise<string>;
  close(): void;
}

/** A client for each region and profile that is asked for, opened once. */
export interface Clouds {
  /** The region of this worker. */
  readonly home: Ec2;
  of(region: string | undefined, profile?: string | null): Ec2;
  close(): void;
}

/** Opens the cloud; `endpoint` replaces AWS's own for every region. */
export function openClouds(region: string, endpoint: string | undefined): Clouds {
  const open = new Map<string, Ec2>();
  const of: Clouds['of'] = (wanted = region, profile = null) => {
    const key = `${wanted} ${profile ?? ''}`;
    const found = open.get(key) ?? openEc2(wanted, endpoint, profile);
    open.set(key, found);
    return found;
  };
  return { home: of(region), of, close: () => [...open.values()].forEach((ec2) => ec2.close()) };
}

/** A slow answer is an unknown outcome, which is resolved by looking; waiting longer helps nobody. */
const REQUEST_TIMEOUT_MS = 8_000;
const CONNECTION_TIMEOUT_MS = 2_000;

/** Opens a client for a region. Credentials come from the usual AWS chain; waiting and retrying is Temporal's. */
function openEc2(region: string, endpoint: string | undefined, profile: string | null): Ec2 {
  const client = new EC2Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === null ? {} : { profile }),
    maxAttempts: 1,
    requestHandler: {
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  const mutate = async (call: Promise<unknown>) => {
    await call.catch((error: unknown) => {
      throw failureOf(error, 'change');
    });
  };
  return {
    region,
    find: (query, options) => find(client, query, options),
    findAll: (ids, options) => findAll(client, ids, options),
    disksOf: (ids, options) => disksOf(client, ids, options),
    findTagged: (options) => findTagged(client, options),
    checks: (instanceId, options) => checks(client, instanceId, options),
    start: (id) => mutate(client.send(new StartInstancesCommand({ InstanceIds: [id] }))),
    stop: (id) => mutate(client.send(new StopInstancesCommand({ InstanceIds: [id] }))),
    reboot: (id) => mutate(client.send(new RebootInstancesCommand({ InstanceIds: [id] }))),
    terminate: (id) => mutate(client.send(new TerminateInstancesCommand({ InstanceIds: [id] }))),
    setTag: (id, Key, Value) =>
      mutate(
        Value === null
          ? client.send(new DeleteTagsCommand({ Resources: [id], Tags: [{ Key }] }))
          : client.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key, Value }] })),
      ),
    consoleOutput: (id, options) => consoleOutput(client, id, options),
    close: () => client.destroy(),
  };
}

async function find(client: EC2Client, query: InstanceQuery, options: CallOptions = {}): Promise<Instance[]> {
  try {
    switch (query.kind) {
      case 'all':
        return await describe(client, {}, options);
      case 'tag':
        return await describe(client, { Filters: [exactly(`tag:${query.key}`, query.value)] }, options);
      case 'one':
        return isInstanceId(query.ref)
          ? await describe(client, { InstanceIds: [query.ref] }, options)
          : theOne(query.ref, await describe(client, { Filters: [exactly('tag:Name', query.ref)] }, options));
    }
  } catch (error) {
    if (isNotFound(error)) return [];
    throw failureOf(error, 'read');
  }
}

/** By a filter, because one unknown id in a list of ids makes EC2 refuse all of them. */
async function findAll(client: EC2Client, ids: readonly string[], options: CallOptions = {}): Promise<Instance[]> {
  try {
    return await describe(client, { Filters: [{ Name: 'instance-id', Values: [...ids] }] }, options);
  } catch (error) {
    throw failureOf(error, 'read');
  }
}

const OUR_TAGS: readonly Filter[] = [
  { Name: 'tag-key', Values: ['fermata:member'] },
  { Name: 'tag:managed-by', Values: ['fermata'] },
];

/** Two calls, because filters are joined by "and". */
async function findTagged(client: EC2Client, options: CallOptions = {}): Promise<Instance[]> {
  const awake = { Name: 'instance-state-name', Values: ['pending', 'running'] };
  try {
    const found = await Promise.all(OUR_TAGS.map((tag) => describe(client, { Filters: [tag, awake] }, options)));
    return [...new Map(found.flat().map((instance) => [instance.id, instance])).values()];
  } catch (error) {
    throw failureOf(error, 'read');
  }
}

/** In EC2's filters `*` and `?` are wildcards and a backslash makes them plain. */
function exactly(Name: string, value: string): Filter {
  return { Name, Values: [value.replace(/[\\*?]/g, (character) => `\\${character}`)] };
}

/** A name may be shared with instances that are gone: the live one is meant, or else the one that lived last. */
function theOne(name: string, found: readonly Instance[]): Instance[] {
  const gone = (instance: Instance) => instance.state === 'terminated' || instance.state === 'shutting-down';
  const live = found.filter((instance) => !gone(instance));
  if (live.length > 1) throw new Failure('TargetAmbiguous', { name, ids: live.map(({ id }) => id).join(', ') });
  const [last] = live.length === 1 ? live : [...found].sort((a, b) => b.launchTime.localeCompare(a.launchTime));
  return last ? [last] : [];
}

async function describe(
  client: EC2Client,
  which: { readonly InstanceIds?: string[]; readonly Filters?: Filter[] },
  { signal }: CallOptions,
): Promise<Instance[]> {
  const instances: Instance[] = [];
  let NextToken: string | undefined;
  do {
    // EC2 refuses a page size together with ids.
    const page = which.InstanceIds ? {} : { MaxResults: 1_000, ...(NextToken === undefined ? {} : { NextToken }) };
    const command = new DescribeInstancesCommand({ ...which, ...page });
    const answer = await client.send(command, signal ? { abortSignal: signal } : {});
    for (const { Instances = [] } of answer.Reservations ?? []) instances.push(...Instances.map(instanceOf));
    NextToken = answer.NextToken;
  } while (NextToken);
  return instances;
}

async function disksOf(
  client: EC2Client,
  ids: readonly string[],
  { signal }: CallOptions = {},
): Promise<ReadonlyMap<string, readonly Disk[]>> {
  const disks = new Map<string, Disk[]>(ids.map((id) => [id, []]));
  const Filters = [{ Name: 'attachment.instance-id', Values: [...ids] }];
  let NextToken: string | undefined;
  try {
    do {
      const page = { MaxResults: 1_000, ...(NextToken === undefined ? {} : { NextToken }) };
      const command = new DescribeVolumesCommand({ Filters, ...page });
      const answer = await client.send(command, signal ? { abortSignal: signal } : {});
      for (const volume of answer.Volumes ?? []) {
        const machines = new Set((volume.Attachments ?? []).flatMap(({ InstanceId }) => InstanceId ?? []));
        const disk = diskOf(volume, machines.size);
        for (const id of machines) disks.get(id)?.push(disk);
      }
      NextToken = answer.NextToken;
    } while (NextToken);
  } catch (error) {
    throw failureOf(error, 'read');
  }
  return disks;
}

async function consoleOutput(client: EC2Client, InstanceId: string, { signal }: CallOptions = {}): Promise<string> {
  try {
    const command = new GetConsoleOutputCommand({ InstanceId, Latest: false });
    const { Output } = await client.send(command, signal ? { abortSignal: signal } : {});
    return Buffer.from(Output ?? '', 'base64').toString();
  } catch (error) {
    throw failureOf(error, 'read');
  }
}

async function checks(client: EC2Client, instanceId: string, { signal }: CallOptions = {}): Promise<Checks> {
  try {
    const answer = await client.send(
      new DescribeInstanceStatusCommand({ InstanceIds: [instanceId] }),
      signal ? { abortSignal: signal } : {},
    );
    const [status] = answer.InstanceStatuses ?? [];
    if (!status) return 'none';
    const both = [status.SystemStatus?.Status, status.InstanceStatus?.Status];
    if (both.every((check) => check === 'ok')) return 'ok';
    return both.includes('impaired') ? 'impaired' : 'initializing';
  } catch (error) {
    throw failureOf(error, 'read');
  }
}
