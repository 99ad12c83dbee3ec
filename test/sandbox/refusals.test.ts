// What a client may send without harm: wrong ids, no credentials, unknown actions, rubbish, and far too much of it.
import { connect } from 'node:net';

import { DescribeInstancesCommand, StopInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';

import { effectsOf, idOf, principal, startBox, stateOf, until } from './box.ts';
import type { Box } from './box.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());

const authorization = `AWS4-HMAC-SHA256 Credential=${principal}/20261121/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00`;

async function post(body: string, headers: Record<string, string> = { authorization }) {
  const answer = await fetch(box.url, { method: 'POST', body, headers });
  const text = await answer.text();
  const code = /<Code>(.*)<\/Code>/.exec(text)?.[1];
  return { status: answer.status, code, text, requestId: answer.headers.get('x-amzn-requestid') };
}

test('ids are refused when malformed or unknown, one or many', async () => {
  const stop = (...InstanceIds: string[]) => expect(box.ec2.send(new StopInstancesCommand({ InstanceIds }))).rejects;
  await stop('vm-prod-01').toMatchObject({
    name: 'InvalidInstanceID.Malformed',
    message: 'Invalid id: "vm-prod-01" (expecting "i-...")',
  });
  await stop('i-xyz').toMatchObject({ name: 'InvalidInstanceID.Malformed', message: 'Invalid id: "i-xyz"' });
  await stop('i-00000000').toMatchObject({
    name: 'InvalidInstanceID.NotFound',
    message: "The instance ID 'i-00000000' does not exist",
    $metadata: { httpStatusCode: 400 },
  });
  await stop('i-00000000', 'i-00000001').toMatchObject({
    message: "The instance IDs 'i-00000000, i-00000001' do not exist",
  });
  await stop().toMatchObject({ name: 'MissingParameter' });
  const outcomes = effectsOf(box).map(({ outcome, changed }) => [outcome, changed.length]);
  expect(outcomes).toEqual([
    ['InvalidInstanceID.Malformed', 0],
    ['InvalidInstanceID.Malformed', 0],
    ['InvalidInstanceID.NotFound', 0],
    ['InvalidInstanceID.NotFound', 0],
    ['MissingParameter', 0],
  ]);
  const describe = new DescribeInstancesCommand({ InstanceIds: ['i-00000000'] });
  await expect(box.ec2.send(describe)).rejects.toMatchObject({ name: 'InvalidInstanceID.NotFound' });
});

test('an error has the XML of EC2 and one request id, in the body and in the header', async () => {
  const { status, text, requestId } = await post('Action=StopInstances&Version=2016-11-15&InstanceId.1=i-00000000');
  expect(status).toBe(400);
  expect(text).toBe(
    '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code>' +
      "<Message>The instance ID 'i-00000000' does not exist</Message></Error></Errors>" +
      `<RequestID>${requestId}</RequestID></Response>`,
  );
  const good = await post('Action=DescribeInstances&InstanceId.1=' + (await idOf(box, 'vm-dev-01')));
  expect(good.status).toBe(200);
  expect(good.text).toContain(`<requestId>${good.requestId}</requestId>`);
  expect(good.text).toContain('xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"');
});

test('a call without good credentials is an authentication failure and no effect', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const before = effectsOf(box).length;
  const form = `Action=TerminateInstances&InstanceId.1=${id}`;
  for (const header of [
    undefined,
    'Bearer x',
    'AWS4-HMAC-SHA256 Credential=AKID',
    authorization.replace(principal, ''),
  ]) {
    const answer = await post(form, header === undefined ? {} : { authorization: header });
    expect(answer).toMatchObject({ status: 401, code: 'AuthFailure' });
  }
  expect(effectsOf(box)).toHaveLength(before);
  expect(await stateOf(box, id)).toBe('running');
});

test.each([
  ['InvalidAction', 'Action=DeleteEverything'],
  ['InvalidAction', 'Action=__proto__'],
  ['MissingAction', ''],
  ['MissingAction', '{"Action":"DescribeInstances"}'],
  ['MissingAction', '%%%&&&===...%ff'],
  ['InvalidCharacter', 'Action=DescribeInstances&InstanceId.1=%00'],
  ['UnknownParameter', 'Action=DescribeInstances&Colour=red'],
  ['UnknownParameter', 'Action=DescribeInstances&__proto__.x=1'],
  ['UnknownParameter', 'Action=DescribeInstances&Filter.1.Nome=x'],
  ['MissingParameter', 'Action=DescribeInstances&Filter.1.Value.1=x'],
  ['InvalidParameterValue', 'Action=DescribeInstances&MaxResults=many'],
  ['InvalidParameterValue', 'Action=StopInstances&InstanceId.1=i-00000000&DryRun=perhaps'],
  ['MalformedQueryString', `Action=DescribeInstances&${'a.'.repeat(2000)}=1`],
  ['MissingParameter', 'Action=StopInstances&InstanceId=i-00000000'],
  ['MissingParameter', 'Action=StopInstances&InstanceId.0=a&InstanceId.-1=b&InstanceId.x=c&InstanceId.99999999=d'],
])('rubbish is %s: %s', async (code, form) => {
  expect((await post(form)).code).toBe(code);
});

test('a call by GET is understood, other methods and paths are not', async () => {
  const get = await fetch(`${box.url}/?Action=DescribeTags`, { headers: { authorization } });
  expect(get.status).toBe(200);
  expect((await fetch(box.url, { method: 'DELETE', headers: { authorization } })).status).toBe(405);
  expect((await fetch(`${box.url}/latest/meta-data`)).status).toBe(404);
});

test('too long a body is refused, in either API, and nothing of it is done', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const long = `Action=TerminateInstances&InstanceId.1=${id}&x=${'y'.repeat(1_000_000)}`;
  expect(await post(long)).toMatchObject({ status: 413, code: 'RequestEntityTooLarge' });
  const fault = await fetch(`${box.url}/_sandbox/faults`, { method: 'POST', body: ' '.repeat(70_000) });
  expect(fault.status).toBe(413);
  expect(await stateOf(box, id)).toBe('running');
});

test('a filter made to blow up a pattern matcher is answered at once', async () => {
  const tag = 'a'.repeat(255) + 'b';
  const id = await idOf(box, 'web-1');
  await post(`Action=CreateTags&ResourceId.1=${id}&Tag.1.Key=long&Tag.1.Value=${tag}`);
  const started = Date.now();
  const answer = await post(`Action=DescribeInstances&Filter.1.Name=tag:long&Filter.1.Value.1=${'*a'.repeat(200)}*c`);
  expect(answer.status).toBe(200);
  expect(Date.now() - started).toBeLessThan(5_000);
});

test('bytes that are no HTTP and connections that break off leave it alive', async () => {
  const port = Number(new URL(box.url).port);
  for (const bytes of [
    'GET\r\n\r\n',
    '\u0016\u0003\u0001\u0002',
    'POST / HTTP/1.1\r\ncontent-length: 100\r\n\r\nAction=',
    'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    'GET //_sandbox/%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n',
    'POST /_sandbox/instances/%E0%A4%A/fail HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n',
  ]) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    let closed = false;
    socket.on('close', () => (closed = true));
    socket.write(bytes);
    socket.end();
    await until('the connection is closed', () => closed || socket.destroyed);
  }
  expect(box.child.exitCode).toBeNull();
  const terminate = new TerminateInstancesCommand({ InstanceIds: ['i-00000000'] });
  await expect(box.ec2.send(terminate)).rejects.toMatchObject({ name: 'InvalidInstanceID.NotFound' });
});
