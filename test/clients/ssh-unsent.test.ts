// SSH before a command is sent: what is out of reach or busy says so, and certainly did nothing.
import type { Socket } from 'node:net';
import { until } from '../kit/until.ts';
import { addressOf, failureOf } from './ssh-bench.ts';
import { faultBench, requestOf as request } from './ssh-fault-bench.ts';

const { open, serve, proxied, listen } = faultBench();

const stranger = {
  host: '127.0.0.1',
  username: 'somebody',
  auth: { kind: 'password', password: 'hunter2' } as const,
  hostKey: { fingerprints: ['SHA256:x'] },
};

test.each([
  ['closes at once', (socket: Socket) => socket.destroy()],
  ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ['never answers', () => undefined],
  ['greets and says no more', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')],
  ['speaks HTTP', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
])('a server that %s is out of reach, by all ways to look at it', async (_name, onSocket) => {
  const address = { ...stranger, port: await listen(onSocket) };
  const ssh = open({ readyMs: 400 });
  const unreachable = { type: 'SshUnreachable', host: `127.0.0.1:${address.port}` };
  const looks = [
    () => ssh.run(address, request('true')),
    () => ssh.check(address, 5_000),
    () => ssh.scan(address, 5_000),
  ];
  for (const look of looks) {
    const said = await failureOf(look());
    expect(said).toMatchObject(unreachable);
    expect(JSON.stringify(said)).not.toContain('hunter2');
  }
  expect(ssh.stats()).toEqual({ links: 0, channels: 0 });
});

test('a port that nobody listens on is out of reach, and a failed login is not remembered', async () => {
  const server = await serve();
  const proxy = await proxied(server);
  const ssh = open();
  const address = { ...addressOf(server), port: proxy.port };
  await proxy.stop();
  expect(await failureOf(ssh.run(address, request('true')))).toMatchObject({
    type: 'SshUnreachable',
    why: expect.stringContaining('ECONNREFUSED'),
  });
  const { port } = server;
  expect(await ssh.run({ ...address, port }, request('true'))).toMatchObject({ code: 0 });
});

test('a request that has less time than a login takes is told so in its own time', async () => {
  const address = { ...stranger, port: await listen(() => undefined) };
  const ssh = open({ readyMs: 3_000 });
  const begun = performance.now();
  expect(await failureOf(ssh.run(address, request('true', 200)))).toMatchObject({ type: 'SshUnreachable' });
  expect(await failureOf(ssh.check(address, 200))).toMatchObject({ type: 'SshUnreachable' });
  expect(performance.now() - begun).toBeLessThan(2_500);
});

test('a link that dies before the command is sent is out of reach, and the next one is fine', async () => {
  let isBroken = true;
  const server = await serve({
    onSession: (connection) => {
      if (!isBroken) return 'accept';
      connection.end();
      return 'ignore';
    },
  });
  const ssh = open();
  expect(await failureOf(ssh.run(addressOf(server), request('true')))).toMatchObject({ type: 'SshUnreachable' });
  isBroken = false;
  expect(await ssh.run(addressOf(server), request('true'))).toMatchObject({ code: 0 });
  expect(server.seen.commands).toEqual(['true']);
});

test('a server that opens no channel at all is busy, at once', async () => {
  const server = await serve({ onSession: () => 'refuse' });
  expect(await failureOf(open().run(addressOf(server), request('true')))).toMatchObject({ type: 'SshBusy' });
});

test('one that opens few is not asked for more than it gives, and all commands run once', async () => {
  const server = await serve({ maxSessions: 2 });
  const ssh = open({ refusedMs: 50 });
  // One that is refused while nothing of ours runs on it is replaced, so the links at a time are what is bounded.
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, ssh.stats().links)), 5);
  const all = await Promise.all(
    Array.from({ length: 16 }, (_, n) => ssh.run(addressOf(server), request(`sleep 0.1; echo ${n}`))),
  ).finally(() => clearInterval(watch));
  expect(all.map(({ code, stdout }) => [code, stdout])).toEqual(all.map((_, n) => [0, `${n}\n`]));
  expect(server.seen.commands.length).toBe(16);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(3);
});

test('with one link that is full for too long a request is told that it is busy', async () => {
  const server = await serve({ maxSessions: 1 });
  const ssh = open({ linksPerAddress: 1, refusedMs: 5_000 });
  const first = ssh.run(addressOf(server), request('sleep 1'));
  await until('it runs', () => server.seen.commands.length === 1);
  expect(await failureOf(ssh.run(addressOf(server), request('true', 300)))).toMatchObject({ type: 'SshBusy' });
  expect(await first).toMatchObject({ code: 0 });
  expect(await ssh.run(addressOf(server), request('true'))).toMatchObject({ code: 0 });
  expect(server.seen.commands).toEqual(['sleep 1', 'true']);
});
