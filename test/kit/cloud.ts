// The sandbox cloud in a test: its instances through the AWS SDK, its faults, and its effects file, the witness.
import { readFileSync } from 'node:fs';
import { DescribeInstancesCommand, EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import type { Instance } from '@aws-sdk/client-ec2';
import { z } from 'zod';
import type { Child } from './processes.ts';
import { until } from './until.ts';

const effect = z.looseObject({
  action: z.string(),
  instance_ids: z.array(z.string()),
  outcome: z.string(),
  changed: z.array(z.string()).optional(),
});
export type EffectLine = z.output<typeof effect>;

export interface Cloud {
  readonly process: Child;
  readonly ec2: EC2Client;
  /** The lines of the effects file of these actions that took effect. */
  effects(...actions: string[]): EffectLine[];
  find(name: string): Promise<Instance>;
  idOf(name: string): Promise<string>;
  stateOf(idOrName: string): Promise<string>;
  /** Makes an instance, waits until it runs, with this Name and these tags. */
  make(name: string, tags?: Record<string, string>): Promise<string>;
  control(path: string, body: Record<string, unknown>): Promise<void>;
  fault(fault: Record<string, unknown>): Promise<void>;
  clearFaults(): Promise<void>;
}

export function cloudOf(process: Child, endpoint: string, effectsPath: string): Cloud {
  const ec2 = new EC2Client({
    region: 'us-east-1',
    endpoint,
    maxAttempts: 1,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const control: Cloud['control'] = async (path, body) => {
    const answer = await fetch(`${endpoint}/_sandbox/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`sandbox ${path}: ${answer.status} ${await answer.text()}`);
  };
  const find: Cloud['find'] = async (name) => {
    const which = /^i-[0-9a-f]+$/.test(name)
      ? { InstanceIds: [name] }
      : { Filters: [{ Name: 'tag:Name', Values: [name] }] };
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand(which));
    const found = Reservations[0]?.Instances?.[0];
    if (!found) throw new Error(`no instance ${name}`);
    return found;
  };
  return {
    process,
    ec2,
    find,
    control,
    effects: (...actions) =>
      readFileSync(effectsPath, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => effect.parse(JSON.parse(line)))
        .filter(({ action, outcome }) => outcome === 'ok' && (actions.length === 0 || actions.includes(action))),
    idOf: async (name) => (await find(name)).InstanceId ?? '',
    stateOf: async (name) => (await find(name)).State?.Name ?? '',
    make: async (name, tags = {}) => {
      const all = Object.entries({ ...tags, Name: name }).map(([Key, Value]) => ({ Key, Value }));
      const { Instances = [] } = await ec2.send(
        new RunInstancesCommand({
          ImageId: 'ami-12345678',
          InstanceType: 't3.micro',
          MinCount: 1,
          MaxCount: 1,
          TagSpecifications: [{ ResourceType: 'instance', Tags: all }],
        }),
      );
      const id = Instances[0]?.InstanceId ?? '';
      await until(`${name} runs`, async () => (await find(id)).State?.Name === 'running');
      return id;
    },
    fault: (fault) => control('faults', fault),
    clearFaults: async () => {
      await fetch(`${endpoint}/_sandbox/faults`, { method: 'DELETE' });
    },
  };
}
