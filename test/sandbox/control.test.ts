// The control API: what it shows of instances and calls, and machines lost behind everyone's back.
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';

import { control, described, effectsOf, idOf, reaches, startBox, stateOf } from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox({ stateMs: 30 });
});
afterAll(() => box.end());

test('an instance is shown by its id and by its name', async () => {
  const id = await idOf(box, 'gpu-train-01');
  const shown = {
    id,
    name: 'gpu-train-01',
    state: 'running',
    checks: 'ok',
    type: 'g5.xlarge',
    zone: 'us-east-1a',
    tags: { Name: 'gpu-train-01' },
    reboots: 0,
    private_address: (await described(box, id)).PrivateIpAddress,
    public_address: (await described(box, id)).PublicIpAddress,
  };
  expect((await control(box, `GET instances/${id}`)).json).toMatchObject(shown);
  expect((await control(box, 'GET instances/gpu-train-01')).json).toMatchObject(shown);
  expect((await control(box, 'GET instances')).json).toMatchObject({ instances: { length: 22 } });
});

test('a lost machine changes at once, and the effects tell of it', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const before = await described(box, id);
  expect((await control(box, 'POST instances/vm-prod-01/fail', { state: 'stopped' })).json).toMatchObject({
    state: 'stopped',
    public_address: null,
  });
  expect(await described(box, id)).toMatchObject({
    State: { Name: 'stopped' },
    StateReason: { Code: 'Server.ScheduledStop' },
  });
  expect(effectsOf(box).at(-1)).toMatchObject({
    action: 'SandboxFail',
    instance_ids: [id],
    outcome: 'ok',
    changed: [id],
    state: 'stopped',
  });
  expect(effectsOf(box).at(-1)).not.toHaveProperty('principal');
  await control(box, `POST instances/${id}/fail`, { state: 'stopped' });
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'SandboxFail', changed: [] });
  await control(box, `POST instances/${id}/fail`, { state: 'running' });
  const after = await described(box, id);
  expect(after.State?.Name).toBe('running');
  expect(after.PublicIpAddress).not.toBe(before.PublicIpAddress);
  await control(box, `POST instances/${id}/fail`, { state: 'terminated' });
  expect(await stateOf(box, id)).toBe('terminated');
  expect((await control(box, `POST instances/${id}/fail`, { state: 'running' })).status).toBe(409);
});

test('a machine can be lost in the middle of a transition', async () => {
  const id = await idOf(box, 'vm-dev-01');
  await box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  await control(box, `POST instances/${id}/fail`, { state: 'stopped' });
  expect(await stateOf(box, id)).toBe('stopped');
  await box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'running');
  await box.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'stopped');
});

test('calls are counted by action, refused ones too', async () => {
  const count = async () => JSON.parse(JSON.stringify((await control(box, 'GET calls')).json));
  const before = await count();
  await box.ec2.send(new DescribeInstancesCommand({}));
  await expect(box.ec2.send(new DescribeInstancesCommand({ MaxResults: 1 }))).rejects.toThrow();
  await fetch(`${box.url}/?Action=Nonsense`);
  const after = await count();
  expect(after.calls.DescribeInstances).toBe(before.calls.DescribeInstances + 2);
  expect(after.calls.InvalidAction).toBe(1);
  expect(after.total).toBe(before.total + 3);
});

test.each([
  ['POST instances/vm-prod-02/checks', { status: 'broken' }, 400],
  ['POST instances/vm-prod-02/checks', {}, 400],
  ['POST instances/vm-prod-02/fail', { state: 'pending' }, 400],
  ['POST instances/nobody/fail', { state: 'stopped' }, 404],
  ['GET instances/nobody', undefined, 404],
  ['GET instances/%ff', undefined, 400],
  ['POST instances', {}, 404],
  ['GET nothing', undefined, 404],
  ['GET ', undefined, 404],
])('%s %j is answered with %i and a reason', async (route, body, status) => {
  const answer = await control(box, route, body);
  expect(answer.status).toBe(status);
  expect(answer.json).toEqual({ error: expect.any(String) });
});

test('a name that several bear names none of them', async () => {
  const ids = [await idOf(box, 'web-1'), await idOf(box, 'web-2')];
  expect(ids[0]).not.toBe(ids[1]);
  await box.ec2.send(new CreateTagsCommand({ Resources: ids, Tags: [{ Key: 'Name', Value: 'twin' }] }));
  expect((await control(box, 'GET instances/twin')).status).toBe(404);
  await control(box, `POST instances/${ids[0]}/fail`, { state: 'terminated' });
  expect((await control(box, 'GET instances/twin')).json).toMatchObject({ id: ids[1] });
});
