// Start, stop, reboot and terminate: the states on the way, addresses, launch times, checks, and what is refused.
import {
  DescribeInstanceStatusCommand,
  ModifyInstanceAttributeCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';

import {
  control,
  described,
  effectsOf,
  idOf,
  only,
  present,
  principal,
  reaches,
  startBox,
  stateOf,
  until,
} from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());

const checksOf = async (id: string) => {
  const command = new DescribeInstanceStatusCommand({ InstanceIds: [id], IncludeAllInstances: true });
  const { InstanceStatuses = [] } = await box.ec2.send(command);
  return only(InstanceStatuses);
};

test('a stop and a start pass through their states, keep the private address and change the public one', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const before = await described(box, id);
  const stop = await box.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  expect(only(stop.StoppingInstances ?? [])).toEqual({
    InstanceId: id,
    CurrentState: { Code: 64, Name: 'stopping' },
    PreviousState: { Code: 16, Name: 'running' },
  });
  await reaches(box, id, 'stopped');
  const stopped = await described(box, id);
  expect(stopped.PublicIpAddress).toBeUndefined();
  expect(stopped.PublicDnsName).toBe('');
  expect(stopped.PrivateIpAddress).toBe(before.PrivateIpAddress);
  expect(stopped.LaunchTime).toEqual(before.LaunchTime);
  expect(stopped.StateTransitionReason).toMatch(/^User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)$/);
  expect(stopped.StateReason?.Code).toBe('Client.UserInitiatedShutdown');

  const start = await box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  expect(only(start.StartingInstances ?? []).CurrentState).toEqual({ Code: 0, Name: 'pending' });
  await reaches(box, id, 'running');
  const after = await described(box, id);
  expect(after.PrivateIpAddress).toBe(before.PrivateIpAddress);
  expect(present(after.PublicIpAddress)).not.toBe(before.PublicIpAddress);
  expect(present(after.LaunchTime).getTime()).toBeGreaterThan(present(before.LaunchTime).getTime());
  expect(after.StateTransitionReason).toBe('');
  expect(after.StateReason).toBeUndefined();
  const [stopEffect, startEffect] = effectsOf(box).filter(({ instance_ids }) => instance_ids.includes(id));
  expect(stopEffect).toMatchObject({ action: 'StopInstances', outcome: 'ok', changed: [id], principal, force: false });
  expect(startEffect).toMatchObject({ action: 'StartInstances', outcome: 'ok', changed: [id] });
  expect(startEffect?.request_id).toBe(start.$metadata.requestId);
});

test('starting what runs and stopping what is stopped succeed and change nothing', async () => {
  const running = await idOf(box, 'vm-prod-02');
  const start = await box.ec2.send(new StartInstancesCommand({ InstanceIds: [running] }));
  expect(only(start.StartingInstances ?? []).CurrentState?.Name).toBe('running');
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'StartInstances', outcome: 'ok', changed: [] });
  const stopped = await idOf(box, 'vm-dev-01');
  const stop = await box.ec2.send(new StopInstancesCommand({ InstanceIds: [stopped], Force: true }));
  expect(only(stop.StoppingInstances ?? []).PreviousState?.Name).toBe('stopped');
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'StopInstances', changed: [], force: true });
});

test('what is on its way to another state is refused, and a refusal of one changes none', async () => {
  const id = await idOf(box, 'api-gateway-1');
  const bystander = await idOf(box, 'api-gateway-2');
  const slow = await startBox({ stateMs: 60_000 });
  try {
    await slow.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await expect(slow.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject({
      name: 'IncorrectInstanceState',
      message: `The instance '${id}' is not in a state from which it can be started.`,
    });
    expect(effectsOf(slow).at(-1)).toMatchObject({
      action: 'StartInstances',
      outcome: 'IncorrectInstanceState',
      changed: [],
    });
    const dev = await idOf(slow, 'vm-dev-01');
    await slow.ec2.send(new StartInstancesCommand({ InstanceIds: [dev] }));
    await expect(slow.ec2.send(new StopInstancesCommand({ InstanceIds: [bystander, dev] }))).rejects.toMatchObject({
      name: 'IncorrectInstanceState',
    });
    expect(await stateOf(slow, bystander)).toBe('running');
    await expect(slow.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject({
      name: 'IncorrectState',
    });
  } finally {
    await slow.end();
  }
});

test('a reboot keeps the state, puts the checks back and is counted', async () => {
  const id = await idOf(box, 'web-1');
  const before = await described(box, id);
  const long = await startBox({ checkMs: 60_000 });
  try {
    await long.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    const command = new DescribeInstanceStatusCommand({ InstanceIds: [id] });
    const { InstanceStatuses = [] } = await long.ec2.send(command);
    expect(only(InstanceStatuses)).toMatchObject({
      InstanceState: { Name: 'running' },
      InstanceStatus: { Status: 'initializing', Details: [{ Name: 'reachability', Status: 'initializing' }] },
    });
  } finally {
    await long.end();
  }
  await box.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
  await until('the checks are ok', async () => (await checksOf(id)).InstanceStatus?.Status === 'ok');
  expect((await described(box, id)).PublicIpAddress).toBe(before.PublicIpAddress);
  expect((await described(box, id)).LaunchTime).toEqual(before.LaunchTime);
  expect((await control(box, `GET instances/${id}`)).json).toMatchObject({ state: 'running', reboots: 1 });
});

test('checks are not applicable while stopped, and initializing before they are ok or impaired', async () => {
  const id = await idOf(box, 'web-2');
  await box.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'stopped');
  expect((await checksOf(id)).InstanceStatus).toEqual({ Status: 'not-applicable' });
  await control(box, `POST instances/web-2/checks`, { status: 'impaired' });
  await box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  const seen = new Set<string>();
  await until('the checks are impaired', async () => {
    const { InstanceState, SystemStatus } = await checksOf(id);
    if (InstanceState?.Name === 'running') seen.add(present(SystemStatus?.Status));
    return SystemStatus?.Status === 'impaired';
  });
  expect([...seen]).not.toContain('ok');
  expect((await checksOf(id)).SystemStatus?.Details).toEqual([{ Name: 'reachability', Status: 'failed' }]);
  await control(box, `POST instances/web-2/checks`, { status: null });
  expect((await checksOf(id)).SystemStatus?.Status).toBe('ok');
});

test('a terminated instance stays to be seen, refuses start and stop, and can be terminated again', async () => {
  const id = await idOf(box, 'cluster-staging-node-1');
  const volume = present((await described(box, id)).BlockDeviceMappings?.[0]?.Ebs?.VolumeId);
  const first = await box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(only(first.TerminatingInstances ?? []).CurrentState).toEqual({ Code: 32, Name: 'shutting-down' });
  await reaches(box, id, 'terminated');
  const gone = await described(box, id);
  expect(gone).toMatchObject({ BlockDeviceMappings: [], SecurityGroups: [], PublicDnsName: '', PrivateDnsName: '' });
  expect(gone.PrivateIpAddress ?? gone.PublicIpAddress ?? gone.VpcId).toBeUndefined();
  expect(volume).toMatch(/^vol-[0-9a-f]{17}$/);
  const refused = { name: 'IncorrectInstanceState', $metadata: { httpStatusCode: 400 } };
  await expect(box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject(refused);
  await expect(box.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject(refused);
  await box.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }));
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'RebootInstances', outcome: 'ok', changed: [] });
  const again = await box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(only(again.TerminatingInstances ?? [])).toMatchObject({
    CurrentState: { Name: 'terminated' },
    PreviousState: { Name: 'terminated' },
  });
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'TerminateInstances', outcome: 'ok', changed: [] });
});

test('a protected instance cannot be terminated until the protection is taken away', async () => {
  const id = await idOf(box, 'vm-staging-01');
  const protect = (Value: boolean) =>
    box.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value } }));
  await protect(true);
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'ModifyInstanceAttribute', changed: [id] });
  await expect(box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject({
    name: 'OperationNotPermitted',
  });
  expect(await stateOf(box, id)).toBe('running');
  await protect(false);
  await box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await reaches(box, id, 'terminated');
});
