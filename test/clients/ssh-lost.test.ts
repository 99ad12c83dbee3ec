// SSH after a command was sent: whatever happens to the link, nothing is sent again and nothing is guessed.
import { until } from '../kit/until.ts';
import { addressOf, failureOf } from './ssh-bench.ts';
import { faultBench, requestOf as request } from './ssh-fault-bench.ts';
import type { Behaviour } from './ssh-server.ts';

const { open, serve, proxied } = faultBench();

test.each<[string, Behaviour]>([
  ['before the answer to it', { onExec: (_command, connection) => (connection.end(), 'ignore') }],
  [
    'in the middle of its output',
    {
      onCommand: (_command, channel, connection) => {
        channel.write('half', () => connection.end());
        return 'ran';
      },
    },
  ],
  [
    'after its end was told and before its channel was closed',
    {
      onCommand: (_command, channel, connection) => {
        channel.exit(0);
        channel.write('half', () => connection.end());
        return 'ran';
      },
    },
  ],
  [
    'without a word about its end, and only its channel',
    {
      onCommand: (_command, channel) => {
        channel.write('half', () => channel.close());
        return 'ran';
      },
    },
  ],
])('a link that is lost %s leaves the outcome unknown, and sends nothing again', async (when, behaviour) => {
  const server = await serve(behaviour);
  const ran = await open().run(addressOf(server), request('touch it'));
  expect(ran).toMatchObject({ code: null, lost: 'link', stdout: when === 'before the answer to it' ? '' : 'half' });
  expect(server.seen.commands).toEqual(['touch it']);
});

test('a server that freezes is noticed by its silence, long before the time is out', async () => {
  const server = await serve();
  const proxy = await proxied(server);
  const ssh = open({ keepaliveMs: 100 });
  const address = { ...addressOf(server), port: proxy.port };
  const running = ssh.run(address, request('echo begun; sleep 30', 30_000));
  await until('it runs', () => server.seen.commands.length === 1);
  const behind = ssh.run({ ...addressOf(server), jump: address }, request('sleep 30', 30_000));
  await until('the other runs', () => server.seen.commands.length === 2);
  proxy.freeze();
  const begun = performance.now();
  expect(await running).toMatchObject({ code: null, lost: 'link' });
  expect(await behind).toMatchObject({ code: null, lost: 'link' });
  expect(performance.now() - begun).toBeLessThan(5_000);
  proxy.thaw();
  expect(await ssh.run(address, request('echo again'))).toMatchObject({ code: 0 });
});

test('a frozen server does not hold up the end of the time, nor closing', async () => {
  const server = await serve();
  const proxy = await proxied(server);
  const ssh = open();
  const address = { ...addressOf(server), port: proxy.port };
  expect(await ssh.run(address, request('true'))).toMatchObject({ code: 0 });
  proxy.freeze();
  expect(await ssh.run(address, request('true', 300))).toMatchObject({ code: null, lost: 'timeout' });
  const begun = performance.now();
  await ssh.close();
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('a link to a frozen server that is ended leaves no socket behind', async () => {
  const server = await serve();
  const proxy = await proxied(server);
  const ssh = open();
  const address = { ...addressOf(server), port: proxy.port };
  await ssh.run(address, request('true'));
  proxy.freeze();
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
  const before = sockets();
  ssh.forget(address);
  await until('its socket is closed', () => sockets() < before, 5_000);
});

test('a command whose time is out is asked to end', async () => {
  const server = await serve();
  expect(await open().run(addressOf(server), request('sleep 20', 500))).toMatchObject({ lost: 'timeout' });
  await until('the signal', () => server.seen.signals.length > 0);
  expect(server.seen.signals).toEqual(['TERM']);
});

test('a network that is slow is waited for', async () => {
  const server = await serve();
  const proxy = await proxied(server, { delayMs: 40 });
  const { latencyMs } = await open().check({ ...addressOf(server), port: proxy.port }, 10_000);
  // There and back, for the greeting, the keys, the service, the login: more than twice, however few are counted.
  expect(latencyMs).toBeGreaterThan(2 * 80);
});

test('characters that come in pieces are put together', async () => {
  const text = Buffer.from('ä€😀');
  const server = await serve({
    onCommand: (_command, channel) => {
      for (const byte of text) channel.write(Buffer.from([byte]));
      channel.exit(0);
      channel.end();
      return 'ran';
    },
  });
  expect(await open().run(addressOf(server), request('any'))).toMatchObject({ code: 0, stdout: 'ä€😀' });
});

test('behind a network that resets links, each command runs at most once, and what is said of it is true', async () => {
  const server = await serve();
  const proxy = await proxied(server, { resetShare: 0.6, minMs: 5, maxMs: 150, seed: 7 });
  const ssh = open();
  const address = { ...addressOf(server), port: proxy.port };
  const isUnsent = (outcome: unknown) => Reflect.get(Object(outcome), 'type') === 'SshUnreachable';
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const command = `echo ${n}; sleep 0.05`;
      const times = () => server.seen.commands.filter((one) => one === command).length;
      for (;;) {
        const outcome = await ssh
          .run(address, request(command))
          .catch((error: Error) => failureOf(Promise.reject(error)));
        expect(times()).toBe(isUnsent(outcome) ? 0 : times());
        if (!isUnsent(outcome)) return { n, times: times(), outcome };
      }
    }),
  );
  for (const { n, times, outcome } of outcomes) {
    const isDone = Reflect.get(Object(outcome), 'code') === 0;
    if (isDone) expect([times, outcome]).toMatchObject([1, { stdout: `${n}\n` }]);
    else expect([times <= 1, outcome]).toMatchObject([true, { code: null, lost: 'link' }]);
  }
  expect(outcomes.some(({ outcome }) => Reflect.get(Object(outcome), 'code') === 0)).toBe(true);
  expect(proxy.stats().reset).toBeGreaterThan(0);
});
