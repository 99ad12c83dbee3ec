// Every kind of fault, with the effects file as the witness of what happened behind the caller's back.
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  RebootInstancesCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';

import { addFault, control, effectsOf, idOf, present, reaches, startBox, stateOf, until } from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterEach(() => control(box, 'DELETE faults'));
afterAll(() => box.end());

const stop = (...InstanceIds: string[]) => box.ec2.send(new StopInstancesCommand({ InstanceIds }));

const callsOf = async (action: string): Promise<unknown> => {
  const { json } = await control(box, 'GET calls');
  return JSON.parse(JSON.stringify(json)).calls[action];
};

test('throttling refuses as often as asked and leaves no effect', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const before = effectsOf(box).length;
  await addFault(box, { action: 'StopInstances', kind: 'throttle', times: 2 });
  const throttled = { name: 'RequestLimitExceeded', $metadata: { httpStatusCode: 503, attempts: 1 } };
  await expect(stop(id)).rejects.toMatchObject(throttled);
  await expect(stop(id)).rejects.toMatchObject(throttled);
  expect(effectsOf(box)).toHaveLength(before);
  expect(await stateOf(box, id)).toBe('running');
  await stop(id);
  await reaches(box, id, 'stopped');
});

test('a lack of capacity is a 500, or a 400 when asked', async () => {
  const id = await idOf(box, 'vm-dev-01');
  const start = () => box.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
  await addFault(box, { action: 'StartInstances', kind: 'capacity' });
  await addFault(box, { action: 'RunInstances', kind: 'capacity', status: 400 });
  await expect(start()).rejects.toMatchObject({
    name: 'InsufficientInstanceCapacity',
    $metadata: { httpStatusCode: 500 },
  });
  const run = new RunInstancesCommand({ ImageId: 'ami-12345678', MinCount: 1, MaxCount: 1 });
  await expect(box.ec2.send(run)).rejects.toMatchObject({
    name: 'InsufficientInstanceCapacity',
    $metadata: { httpStatusCode: 400 },
  });
  await start();
  await reaches(box, id, 'running');
});

test('any error can be had, for any action and one instance, until it is removed', async () => {
  const [struck, spared] = [await idOf(box, 'vm-prod-02'), await idOf(box, 'web-1')];
  const fault = { action: '*', kind: 'error', times: -1, instance_id: 'vm-prod-02' };
  await addFault(box, { ...fault, code: 'UnauthorizedOperation', status: 403, message: 'You may not.' });
  const forbidden = { name: 'UnauthorizedOperation', message: 'You may not.', $metadata: { httpStatusCode: 403 } };
  const Tags = [{ Key: 'a', Value: 'b' }];
  await expect(stop(struck)).rejects.toMatchObject(forbidden);
  await expect(box.ec2.send(new CreateTagsCommand({ Resources: [struck], Tags }))).rejects.toMatchObject(forbidden);
  await expect(stateOf(box, struck)).rejects.toMatchObject(forbidden);
  await box.ec2.send(new CreateTagsCommand({ Resources: [spared], Tags }));
  expect((await control(box, 'GET faults')).json).toMatchObject({
    faults: [
      { action: '*', kind: 'error', times: -1, instance_id: struck, code: 'UnauthorizedOperation', status: 403 },
    ],
  });
  expect((await control(box, 'DELETE faults')).json).toEqual({ removed: 1 });
  expect(await stateOf(box, struck)).toBe('running');
});

test('a hanging call is never answered and does nothing', async () => {
  const id = await idOf(box, 'web-2');
  const before = effectsOf(box).length;
  await addFault(box, { action: 'RebootInstances', kind: 'hang' });
  const patience = new AbortController();
  const call = box.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }), { abortSignal: patience.signal });
  const gaveUp = expect(call).rejects.toMatchObject({ name: 'AbortError' });
  await until('the call has arrived', async () => (await callsOf('RebootInstances')) === 1);
  patience.abort();
  await gaveUp;
  expect(effectsOf(box)).toHaveLength(before);
  expect((await control(box, `GET instances/${id}`)).json).toMatchObject({ reboots: 0 });
});

test('a lost answer has its effect and cuts the connection', async () => {
  const id = await idOf(box, 'api-gateway-1');
  await addFault(box, { action: 'StopInstances', kind: 'lost_answer' });
  await expect(stop(id)).rejects.toThrow('socket hang up');
  expect(effectsOf(box).at(-1)).toMatchObject({ action: 'StopInstances', outcome: 'ok', changed: [id] });
  await reaches(box, id, 'stopped');
});

test('an answer lost slowly has its effect and never comes', async () => {
  const id = await idOf(box, 'api-gateway-2');
  await addFault(box, { action: 'TerminateInstances', kind: 'lost_answer_slow' });
  const patience = new AbortController();
  const call = box.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }), { abortSignal: patience.signal });
  const gaveUp = expect(call).rejects.toMatchObject({ name: 'AbortError' });
  await until('the effect is written', () => effectsOf(box).at(-1)?.action === 'TerminateInstances');
  await reaches(box, id, 'terminated');
  patience.abort();
  await gaveUp;
});

test('a slow answer comes after its delay, its effect at once', async () => {
  const id = await idOf(box, 'api-gateway-3');
  await addFault(box, { action: 'StopInstances', kind: 'slow', delay_ms: 400 });
  const started = performance.now();
  let answered = false;
  const call = stop(id).finally(() => (answered = true));
  await until('the effect is written', () => effectsOf(box).at(-1)?.instance_ids.includes(id) === true);
  expect(answered).toBe(false);
  expect((await call).StoppingInstances?.[0]?.CurrentState?.Name).toBe('stopping');
  expect(performance.now() - started).toBeGreaterThanOrEqual(390);
});

test('a refusal can be slow as well', async () => {
  await addFault(box, { action: 'DescribeInstances', kind: 'throttle', delay_ms: 200 });
  const started = performance.now();
  await expect(box.ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject({ name: 'RequestLimitExceeded' });
  expect(performance.now() - started).toBeGreaterThanOrEqual(190);
});

test('faults are used up oldest first, and reads have them too', async () => {
  await addFault(box, { action: 'DescribeInstances', kind: 'throttle' });
  await addFault(box, { action: '*', kind: 'error', code: 'ServiceUnavailable', status: 503 });
  const read = () => box.ec2.send(new DescribeInstancesCommand({ MaxResults: 5 }));
  await expect(read()).rejects.toMatchObject({ name: 'RequestLimitExceeded' });
  await expect(read()).rejects.toMatchObject({ name: 'ServiceUnavailable' });
  expect(present((await read()).Reservations)).toHaveLength(5);
});

test.each<[string, unknown]>([
  ['the body must be JSON', 'rubbish'],
  ['the body must be a JSON object', '[]'],
  ['"action" must be a text', { kind: 'hang' }],
  ['"action" must be "*" or one of DescribeInstances', { action: 'Nothing', kind: 'hang' }],
  ['"kind" must be one of "throttle"', { action: '*', kind: 'fire' }],
  ['"times" must be -1', { action: '*', kind: 'hang', times: 0 }],
  ['"times" must be a whole number', { action: '*', kind: 'hang', times: 1.5 }],
  ['"status" must be a whole number from 400 to 599', { action: '*', kind: 'error', status: 200 }],
  ['"delay_ms" says how slow', { action: '*', kind: 'slow' }],
  ['unknown field "colour"', { action: '*', kind: 'hang', colour: 'red' }],
])('a bad fault is refused: %s', async (message, fault) => {
  const { status, json } = await control(box, 'POST faults', fault);
  expect(status).toBe(400);
  expect(json).toEqual({ error: expect.stringContaining(message) });
  expect((await control(box, 'GET faults')).json).toEqual({ faults: [] });
});

test('a fault for an instance that does not exist is refused', async () => {
  const fault = { action: '*', kind: 'hang', instance_id: 'vm-prod-99' };
  expect((await control(box, 'POST faults', fault)).status).toBe(404);
});
