// What the control API does to SSH hosts: GPUs, keys and console output, troubles of the link, logins, notices.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import { GetConsoleOutputCommand, StartInstancesCommand } from '@aws-sdk/client-ec2';

import { addFault, control, described, idOf, reaches, startBox, until } from './box.ts';
import type { Box } from './box.ts';
import { addressOf, closeLinks, ended, exitOf, listens, logIn } from './hosts-client.ts';

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());
afterEach(closeLinks);

const consoleOf = async (id: string): Promise<string> => {
  const { Output = '' } = await box.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }));
  return Buffer.from(Output, 'base64').toString();
};
const plain = '--format=csv,noheader,nounits';

test.each<[Record<string, unknown>, string, string]>([
  [{ mode: 'idle' }, `--query-gpu=index,name,utilization.gpu ${plain}`, '0, NVIDIA A10G, 0\n'],
  [{ mode: 'idle' }, `--query-gpu=memory.total,index,memory.used ${plain}`, '22888, 0, 0\n'],
  [{ mode: 'busy' }, `--query-gpu=utilization.gpu ${plain}`, '97\n'],
  [
    { mode: 'busy', gpus: 2, utilization: [12], memory_used_mb: [100, 200] },
    '--query-gpu=index,utilization.gpu,memory.used --format=csv',
    'index, utilization.gpu [%], memory.used [MiB]\n0, 12 %, 100 MiB\n1, 97 %, 200 MiB\n',
  ],
  [
    { mode: 'idle', gpus: 3, utilization: [1, 2, 3] },
    '--query-gpu=utilization.gpu --format=csv,noheader -i 1',
    '2 %\n',
  ],
  [{ mode: 'busy' }, `--query-compute-apps=pid,used_memory ${plain}`, ''],
  [
    { mode: 'busy', apps: [4242, 4243], memory_used_mb: [5000] },
    `--query-compute-apps=used_memory,pid ${plain}`,
    '2500, 4242\n2500, 4243\n',
  ],
  [
    { mode: 'busy', apps: [7] },
    '--query-compute-apps=pid,used_memory --format=csv',
    'pid, used_memory [MiB]\n7, 18310 MiB\n',
  ],
  [{ mode: 'idle', gpus: 2 }, '-L', expect.stringMatching(/^GPU 0: NVIDIA A10G \(UUID: GPU-.*\)\nGPU 1: .*\n$/)],
])('%j: nvidia-smi %s says %j', async (state, query, out) => {
  expect((await control(box, 'POST instances/gpu-train-01/gpu', state)).status).toBe(200);
  const link = await logIn(box, 'gpu-train-01');
  expect(await link.run(`nvidia-smi ${query}`)).toMatchObject({ code: 0, out, err: '' });
});

test.each<[string, number, unknown]>([
  ['error', 9, expect.stringContaining('Driver/library version mismatch')],
  ['garbage', 0, expect.stringContaining('\u0001\u00ff')],
  ['missing', 1, ''],
])('a GPU that is %s', async (mode, code, out) => {
  await control(box, 'POST instances/gpu-train-01/gpu', { mode });
  const link = await logIn(box, 'gpu-train-01');
  const ask = `[ -x "$FERMATA_SANDBOX_FOLDER/bin/nvidia-smi" ] && nvidia-smi --query-gpu=utilization.gpu ${plain}`;
  expect(await link.run(ask)).toMatchObject({ code, out });
});

test('a GPU that hangs does not listen to a timeout', async () => {
  await control(box, 'POST instances/gpu-train-01/gpu', { mode: 'hang' });
  const link = await logIn(box, 'gpu-train-01');
  // 124 would be one that the first signal ended.
  expect((await link.run('timeout -k 0.3 0.1 nvidia-smi; echo $?')).out).toBe('137\n');
});

test('nvidia-smi refuses what it does not know', async () => {
  await control(box, 'POST instances/gpu-train-01/gpu', { mode: 'idle' });
  const link = await logIn(box, 'gpu-train-01');
  expect(await link.run(`nvidia-smi --query-gpu=index,colour ${plain}`)).toMatchObject({
    code: 2,
    out: 'Field "colour" is not a valid field to query.\n\n',
  });
  expect((await link.run('nvidia-smi --paint')).code).toBe(1);
  expect((await control(box, 'POST instances/web-1/gpu', { mode: 'busy' })).status).toBe(409);
  expect((await control(box, 'POST instances/web-1/gpu', { mode: 'busy', gpus: 1 })).status).toBe(200);
  expect((await (await logIn(box, 'web-1')).run(`nvidia-smi --query-gpu=name ${plain}`)).out).toBe('NVIDIA GPU\n');
});

test('the console shows the host key once the machine has booted, and faults apply to it', async () => {
  const slow = await startBox({ args: ['--boot-ms', '300'] });
  try {
    const id = await idOf(slow, 'vm-dev-01');
    const ask = new GetConsoleOutputCommand({ InstanceId: id, Latest: true });
    await slow.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await reaches(slow, id, 'running');
    expect(await slow.ec2.send(ask)).toMatchObject({ InstanceId: id, Output: '' });
    const place = await addressOf(slow, id);
    await until('it listens', () => listens(place));
    const { Output = '' } = await slow.ec2.send(ask);
    const text = Buffer.from(Output, 'base64').toString();
    const [, line = ''] = /-----BEGIN SSH HOST KEY KEYS-----\r\n(.*)\r\n-----END/.exec(text) ?? [];
    const [algorithm, base64 = '', comment = ''] = line.split(' ');
    expect([algorithm, comment]).toEqual(['ssh-ed25519', expect.stringMatching(/^root@ip-10-0-0-\d+\.ec2\.internal$/)]);
    let shown = '';
    const hostVerifier = (key: Buffer) => Boolean((shown = key.toString('base64')));
    await logIn(slow, id, { hostVerifier });
    expect(shown).toBe(base64);
    const digest = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64').replace('=', '');
    expect(text).toContain(`ec2: 256 SHA256:${digest} ${comment} (ED25519)\r\n`);
    await addFault(slow, { action: 'GetConsoleOutput', kind: 'throttle' });
    await expect(slow.ec2.send(ask)).rejects.toMatchObject({ name: 'RequestLimitExceeded' });
  } finally {
    await slow.end();
  }
  await expect(consoleOf('i-00000000')).rejects.toMatchObject({ name: 'InvalidInstanceID.NotFound' });
});

test('a changed host key is another one, on the link and on the console', async () => {
  const id = await idOf(box, 'web-2');
  const keyOf = async () => {
    let shown = '';
    await logIn(box, id, { hostVerifier: (key: Buffer) => Boolean((shown = key.toString('base64'))) });
    return shown;
  };
  const before = await keyOf();
  expect(await consoleOf(id)).toContain(before);
  const { json } = await control(box, `POST instances/${id}/host-key`);
  const after = await keyOf();
  expect(after).not.toBe(before);
  expect(json).toEqual({
    host_key: expect.stringContaining(` ${after} `),
    fingerprint: expect.stringMatching(/^SHA256:[\w+/]{43}$/),
  });
  expect(await consoleOf(id)).toContain(after);
});

test('refuse: the port is closed, and links stay', async () => {
  const place = await addressOf(box, 'vm-prod-01');
  const link = await logIn(box, 'vm-prod-01');
  await control(box, 'POST instances/vm-prod-01/ssh', { mode: 'refuse' });
  expect(await listens(place)).toBe(false);
  expect((await link.run('echo here')).out).toBe('here\n');
  await control(box, 'POST instances/vm-prod-01/ssh', { mode: 'ok' });
  expect(await listens(place)).toBe(true);
});

test.each([
  ['hang', ''],
  ['banner_only', 'SSH-2.0-OpenSSH_9.2\r\n'],
])('%s: a connection is taken, and all that comes is %j', async (mode, banner) => {
  const place = await addressOf(box, 'vm-prod-01');
  await control(box, 'POST instances/vm-prod-01/ssh', { mode });
  let said = '';
  const socket = connect(place, () => socket.write('SSH-2.0-test\r\n'));
  socket.on('data', (data) => (said += data.toString()));
  await expect(logIn(box, 'vm-prod-01', { readyTimeout: 300 })).rejects.toThrow('Timed out');
  expect(said).toBe(banner);
  socket.destroy();
  await control(box, 'POST instances/vm-prod-01/ssh', { mode: 'ok' });
  expect((await (await logIn(box, 'vm-prod-01')).run('echo back')).out).toBe('back\n');
});

test('freeze: links stand still until it thaws, then go on where they were', async () => {
  const link = await logIn(box, 'vm-prod-01');
  const lossy = await logIn(box, 'vm-prod-01', { keepaliveInterval: 50, keepaliveCountMax: 2 });
  const lost = once(lossy.client, 'error');
  const ticks = await link.open('while [ ! -e go ]; do echo tick; sleep 0.02; done; exit 5');
  await once(ticks, 'data');
  await control(box, 'POST instances/vm-prod-01/ssh', { mode: 'freeze' });
  const asked = link.run('touch go');
  expect(String(await lost)).toContain('Keepalive timeout');
  await expect(logIn(box, 'vm-prod-01', { readyTimeout: 200 })).rejects.toThrow('Timed out');
  expect(exitOf(ticks).code).toBe(null);
  const late = logIn(box, 'vm-prod-01');
  await control(box, 'POST instances/vm-prod-01/ssh', { mode: 'ok' });
  expect((await asked).code).toBe(0);
  await ended(ticks);
  expect(exitOf(ticks).code).toBe(5);
  expect((await (await late).run('rm go')).code).toBe(0);
});

test('logins are seen by who, and a spot notice lies in its file', async () => {
  const link = await logIn(box, 'web-1');
  expect((await link.run('who | wc -l')).out.trim()).toBe('0');
  await control(box, 'POST instances/web-1/login', { logins: 2 });
  expect((await link.run('who | grep -c ec2-user')).out.trim()).toBe('2');
  await control(box, 'POST instances/web-1/spot-notice', { action: 'terminate', in_seconds: 60 });
  const { json } = await control(box, 'GET instances/web-1');
  const notice = { action: 'terminate', time: expect.stringMatching(/^\d{4}-.*Z$/) };
  expect(json).toMatchObject({ spot_notice: notice });
  expect(JSON.parse((await link.run('cat "$FERMATA_SPOT_NOTICE_FILE"')).out)).toEqual(notice);
  await control(box, 'POST instances/web-1/spot-notice', { action: null });
  expect((await control(box, 'GET instances/web-1')).json).toMatchObject({ spot_notice: null });
});

test.each([
  ['ssh', { mode: 'sulk' }],
  ['ssh', { shell: 'fish' }],
  ['ssh', { max_sessions: 0 }],
  ['ssh', { colour: 'red' }],
  ['login', { password: '' }],
  ['login', { logins: -1 }],
  ['gpu', { mode: 'busy', gpus: 0 }],
  ['gpu', { mode: 'busy', utilization: [101] }],
  ['gpu', { mode: 'busy', apps: 'all' }],
  ['gpu', {}],
  ['spot-notice', { action: 'rebalance' }],
  ['host-key', { key: 'mine' }],
])('POST %s %j is refused with a reason', async (act, body) => {
  expect(await control(box, `POST instances/gpu-train-01/${act}`, body)).toEqual({
    status: 400,
    json: { error: expect.any(String) },
  });
});

test('without SSH the addresses are nobody’s, and the control API says so', async () => {
  const without = await startBox({ args: ['--no-ssh'] });
  try {
    expect(without.ssh).toBeUndefined();
    const id = await idOf(without, 'web-1');
    expect((await described(without, id)).PublicIpAddress).toMatch(/^198\.18\./);
    expect((await control(without, `GET instances/${id}`)).json).toMatchObject({ ssh: null, spot_notice: null });
    expect((await control(without, `POST instances/${id}/ssh`, { mode: 'ok' })).status).toBe(409);
    expect(() => readFileSync(`${without.folder}/ssh/id_ed25519`)).toThrow();
  } finally {
    await without.end();
  }
});
