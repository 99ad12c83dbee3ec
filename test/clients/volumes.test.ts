// Disks as EC2 describes them over several pages, to the real SDK: some on one machine, one on two, one of which little is said.
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Clouds } from '../../clients/ec2.ts';
import { openClouds } from '../../clients/ec2.ts';

interface Answered {
  readonly page: string | null;
  readonly filter: string | null;
  readonly values: readonly (string | null)[];
}

const attached = (...ids: string[]) =>
  `<attachmentSet>${ids.map((id) => `<item><instanceId>${id}</instanceId></item>`).join('')}</attachmentSet>`;
const pages: Readonly<Record<string, string>> = {
  first: `<volumeSet>
    <item><volumeType>gp3</volumeType><size>8</size><iops>3000</iops><throughput>125</throughput>${attached('i-1')}</item>
    <item><volumeType>io2</volumeType><size>100</size><iops>4000</iops>${attached('i-1', 'i-2')}</item>
  </volumeSet><nextToken>second</nextToken>`,
  second: `<volumeSet>
    <item><volumeType>standard</volumeType><size>20</size>${attached('i-2')}</item>
    <item><size>1</size>${attached('i-other')}</item>
  </volumeSet>`,
};

let server: Server;
let clouds: Clouds;
const asked: Answered[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const form = new URLSearchParams(body);
      const page = form.get('NextToken');
      const values = [1, 2, 3].map((number) => form.get(`Filter.1.Value.${number}`));
      asked.push({ page, filter: form.get('Filter.1.Name'), values });
      response.writeHead(200, { 'content-type': 'text/xml' });
      response.end(`<DescribeVolumesResponse>${pages[page ?? 'first'] ?? ''}</DescribeVolumesResponse>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
  clouds = openClouds('us-east-1', `http://127.0.0.1:${port}`);
});
afterAll(() => {
  clouds?.close();
  server?.close();
});

test('each machine with all of its disks, a shared one with how many share it', async () => {
  const disks = await clouds.home.disksOf(['i-1', 'i-2', 'i-3']);
  const shared = { kind: 'io2', sizeGib: 100, iops: 4_000, throughputMibps: null, machines: 2 };
  expect(Object.fromEntries(disks)).toEqual({
    'i-1': [{ kind: 'gp3', sizeGib: 8, iops: 3_000, throughputMibps: 125, machines: 1 }, shared],
    'i-2': [shared, { kind: 'standard', sizeGib: 20, iops: null, throughputMibps: null, machines: 1 }],
    'i-3': [],
  });
  const asks = { filter: 'attachment.instance-id', values: ['i-1', 'i-2', 'i-3'] };
  expect(asked).toEqual([
    { page: null, ...asks },
    { page: 'second', ...asks },
  ]);
});
