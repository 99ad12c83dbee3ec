// What a restart finds: state and effects agree after a clean end, after kill -9 at any moment, and with a torn last line.
import { once } from 'node:events';
import { appendFileSync, copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  CreateSnapshotCommand,
  CreateTagsCommand,
  DescribeSnapshotsCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';

import { described, effectsOf, freshFolder, idOf, present, reaches, startBox, stateOf } from './box.ts';
import type { Box } from './box.ts';

let folder: string;
const boxes: Box[] = [];
beforeEach(() => {
  folder = freshFolder();
});
afterEach(async () => {
  // All of them first: one that lives would write into the folder while it is removed.
  for (const box of boxes.splice(0)) await box.end('SIGKILL', 'keep');
  rmSync(folder, { recursive: true, force: true });
});

async function start(stateMs = 60): Promise<Box> {
  const box = await startBox({ folder, stateMs });
  boxes.push(box);
  return box;
}

const statePath = () => join(folder, 'state.json');
const effectsPath = () => join(folder, 'effects.jsonl');
const tag = (box: Box, id: string, Key: string, Value: string) =>
  box.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key, Value }] }));
const tagValue = async (box: Box, id: string, key: string) =>
  (await described(box, id)).Tags?.find(({ Key }) => Key === key)?.Value;

test('a clean end keeps everything: states, tags, snapshots, client tokens, addresses', async () => {
  const first = await start();
  const id = await idOf(first, 'vm-prod-01');
  await tag(first, id, 'kept', 'yes');
  const VolumeId = present((await described(first, id)).BlockDeviceMappings?.[0]?.Ebs?.VolumeId);
  const { SnapshotId } = await first.ec2.send(new CreateSnapshotCommand({ VolumeId }));
  const launch = new RunInstancesCommand({ ImageId: 'ami-12345678', MinCount: 1, MaxCount: 1, ClientToken: 'kept' });
  const { ReservationId } = await first.ec2.send(launch);
  const before = await described(first, id);
  expect(await first.end('SIGTERM', 'keep')).toBe(0);

  const second = await start();
  expect(await described(second, id)).toEqual(before);
  const { Snapshots } = await second.ec2.send(new DescribeSnapshotsCommand({}));
  expect(Snapshots?.map((snapshot) => snapshot.SnapshotId)).toEqual([SnapshotId]);
  expect((await second.ec2.send(launch)).ReservationId).toBe(ReservationId);
  await second.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await reaches(second, id, 'stopped');
  await second.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  expect((await described(second, id)).PublicIpAddress).not.toBe(before.PublicIpAddress);
  expect(effectsOf(second).map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('the end of the parent ends it, and so does SIGINT', async () => {
  const left = await start();
  const exit = once(left.child, 'exit');
  left.child.disconnect();
  expect((await exit)[0]).toBe(0);
  expect(await (await start()).end('SIGINT', 'keep')).toBe(0);
});

test('a kill -9 in the middle of a transition does not stop the clock', async () => {
  const stateMs = 1_500;
  const first = await start(stateMs);
  const id = await idOf(first, 'vm-prod-01');
  await first.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await first.end('SIGKILL', 'keep');
  const second = await start(3_600_000);
  const asked = Date.parse(present(effectsOf(second).at(-1)).at);
  const state = await stateOf(second, id);
  if (Date.now() < asked + stateMs) expect(state).toBe('stopping');
  await reaches(second, id, 'stopped');
  expect(Date.now()).toBeGreaterThanOrEqual(asked + stateMs);
});

test('kill -9 at any moment of a stream of calls: what was answered is in the effects, and the state is what they say', async () => {
  const answered: string[] = [];
  let count = 0;
  for (let round = 0; round < 5; round += 1) {
    const box = await start();
    const id = await idOf(box, 'web-1');
    expect(await tagValue(box, id, 'count')).toBe(lastCount());
    const calls = new Set<Promise<void>>();
    const call = () => {
      const one = tag(box, id, 'count', String((count += 1))).then(
        ({ $metadata }) => void answered.push(present($metadata.requestId)),
        () => undefined,
      );
      calls.add(one);
      return one;
    };
    for (let calm = 0; calm < 5 * round; calm += 1) await call();
    for (let burst = 0; burst < 12; burst += 1) void call();
    await Promise.race(calls);
    await box.end('SIGKILL', 'keep');
    await Promise.all(calls);
  }
  const last = await start();
  const effects = effectsOf(last);
  expect(answered.length).toBeGreaterThan(40);
  expect(effects.map(({ request_id }) => request_id)).toEqual(expect.arrayContaining(answered));
  expect(effects.map(({ n }) => n)).toEqual(effects.map((_, index) => index + 1));
  expect(await tagValue(last, await idOf(last, 'web-1'), 'count')).toBe(lastCount());
});

function lastCount(): string | undefined {
  const tags = effectsOf({ folder }).findLast(({ action }) => action === 'CreateTags')?.['tags'];
  return JSON.parse(JSON.stringify(tags ?? {})).count;
}

test('effects that state.json does not have are redone, even all of them', async () => {
  const first = await start();
  const id = await idOf(first, 'vm-prod-01');
  const older = join(folder, 'older.json');
  copyFileSync(statePath(), older);
  await tag(first, id, 'redone', 'yes');
  await first.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await reaches(first, id, 'stopped');
  const stopped = await described(first, id);
  await first.end('SIGKILL', 'keep');
  copyFileSync(older, statePath());
  const second = await start();
  expect(await described(second, id)).toEqual(stopped);
  await second.end('SIGKILL', 'keep');
  rmSync(statePath());
  expect(await described(await start(), id)).toEqual(stopped);
});

test('a torn last line has no effect and is sealed, once', async () => {
  const first = await start();
  const id = await idOf(first, 'vm-prod-01');
  const older = join(folder, 'older.json');
  copyFileSync(statePath(), older);
  await tag(first, id, 'whole', 'yes');
  await tag(first, id, 'torn', 'yes');
  await first.end('SIGKILL', 'keep');
  copyFileSync(older, statePath());
  const text = readFileSync(effectsPath(), 'utf8');
  truncateSync(effectsPath(), text.length - 1);

  const second = await start();
  const [whole, seal, ...more] = effectsOf(second);
  expect(more).toEqual([]);
  expect(whole).toMatchObject({ n: 1, action: 'CreateTags' });
  expect(seal).toMatchObject({
    n: 2,
    action: 'SandboxSeal',
    instance_ids: [],
    changed: [],
    torn: text.trim().split('\n')[1],
  });
  expect(await tagValue(second, id, 'whole')).toBe('yes');
  expect(await tagValue(second, id, 'torn')).toBeUndefined();
  await second.end('SIGKILL', 'keep');
  const third = await start();
  expect(effectsOf(third)).toHaveLength(2);
});

test('a call whose line cannot be written fails and changes nothing', async () => {
  const box = await start();
  const id = await idOf(box, 'vm-prod-01');
  appendFileSync(effectsPath(), 'somebody else was here\n');
  const stop = new StopInstancesCommand({ InstanceIds: [id] });
  await expect(box.ec2.send(stop)).rejects.toMatchObject({ name: 'InternalError', $metadata: { httpStatusCode: 500 } });
  expect(await stateOf(box, id)).toBe('running');
});

test.each([
  ['a state that is none', 'is not a state of this sandbox', () => writeFileSync(statePath(), '{"format":')],
  ['effects that were cut', 'has lost lines', () => truncateSync(effectsPath(), 1)],
  ['a line that is no effect', 'is no effect', () => appendFileSync(effectsPath(), 'rubbish\n')],
])('it does not start on %s', async (_, sentence, harm) => {
  const box = await start();
  await tag(box, await idOf(box, 'vm-prod-01'), 'a', 'b');
  await box.end('SIGTERM', 'keep');
  harm();
  await expect(startBox({ folder })).rejects.toThrow(new RegExp(`ended with 1: .*${sentence}`));
});
