// The sandbox's SSH hosts: who gets in, how commands run there, what is not offered, and the way to other hosts.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';

import ssh2 from 'ssh2';
import type { ParsedKey } from 'ssh2';

import { control, idOf, only, present, startBox, until } from './box.ts';
import type { Box } from './box.ts';
import { addressOf, closeLinks, connected, ended, exitOf, lives, logIn, textOf } from './hosts-client.ts';
import type { Link } from './hosts-client.ts';

let box: Box;
let link: Link;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box.end());
beforeEach(async () => {
  link = await logIn(box, 'vm-prod-01');
});
afterEach(closeLinks);

const hash = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex');
const keyOf = (file: string): ParsedKey => {
  const key = ssh2.utils.parseKey(file);
  if (key instanceof Error) throw key;
  return key;
};
const strangersKey = () => ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).private;

test('a command runs in the home of its host, with its own streams, status and environment', async () => {
  const id = await idOf(box, 'vm-prod-01');
  const home = `${box.folder}/hosts/${id}/home`;
  expect(await link.run('pwd; cat; echo oops >&2; exit 7', 'from afar')).toEqual({
    code: 7,
    signal: undefined,
    out: `${home}\nfrom afar`,
    err: 'oops\n',
  });
  const { out } = await link.run('env');
  const env = new Map(out.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  expect([...env.keys()].filter((name) => name !== '').sort()).toEqual(
    [
      ...['HOME', 'LANG', 'LOGNAME', 'PATH', 'PWD', 'SHELL', 'USER'],
      ...['FERMATA_BOOT_ID_FILE', 'FERMATA_SANDBOX_FOLDER', 'FERMATA_SANDBOX_HOST', 'FERMATA_SPOT_NOTICE_FILE'],
    ].sort(),
  );
  expect(env.get('HOME')).toBe(home);
  expect(env.get('FERMATA_SANDBOX_HOST')).toBe(id);
  expect(env.get('PATH')).toMatch(new RegExp(`^${box.folder}/hosts/${id}/bin:/usr/local/sbin:`));
});

test.each([
  ['kill -TERM $$', null, 'SIGTERM'],
  ['kill -KILL $$', null, 'SIGKILL'],
  // The protocol has no name for it.
  ['kill -BUS $$', 135, undefined],
  ['nosuchprogram', 127, undefined],
])('%s ends with %p, %p', async (command, code, signal) => {
  expect(await link.run(command)).toMatchObject({ code, signal });
});

test('the shell is the one that was asked for', async () => {
  const shells = ['bash', 'dash'];
  const shell = 'case ${BASH_VERSION-} in "") echo dash ;; *) echo bash ;; esac';
  for (const name of shells) {
    const { status } = await control(box, 'POST instances/vm-prod-01/ssh', { shell: name });
    if (status === 200) expect((await link.run(shell)).out).toBe(`${name}\n`);
    else expect(status).toBe(409);
  }
});

test('streams of any size come through whole in both directions, however slowly they are read', async () => {
  const big = 'äöü€'.repeat(700_000);
  const echoed = await link.run('cat', big);
  expect(hash(echoed.out)).toBe(hash(Buffer.from(big).toString('latin1')));
  const channel = await link.open(
    'head -c 6000000 /dev/zero | tr "\\0" o; head -c 6000000 /dev/zero | tr "\\0" e >&2; echo; echo >&2',
  );
  const isUsedUp = () => JSON.parse(JSON.stringify(channel.incoming)).window === 0;
  // Nobody reads, first the one and then the other, until the window of the channel is used up by it.
  await until('output fills it', isUsedUp);
  const out = textOf(channel);
  await until('errors fill it', () => isUsedUp() && channel.stderr.readableLength > 0);
  const err = await textOf(channel.stderr);
  expect([hash(await out), hash(err)]).toEqual([
    hash(`${'o'.repeat(6_000_000)}\n`),
    hash(`${'e'.repeat(6_000_000)}\n`),
  ]);
});

test('input for a command that is gone does not stop the link', async () => {
  const channel = await link.open('exec true');
  for (let piece = 0; piece < 64; piece += 1) channel.write(Buffer.alloc(100_000));
  channel.end();
  expect((await ended(channel)).code).toBe(0);
  expect((await link.run('echo still here')).out).toBe('still here\n');
});

test('the status comes at once, the end when nobody holds the output any more', async () => {
  const channel = await link.open('(while [ ! -e go ]; do sleep 0.02; done; echo last) & echo first; exit 4');
  let isClosed = false;
  channel.on('close', () => (isClosed = true));
  const rest = ended(channel);
  await until('the status has come', () => exitOf(channel).code === 4);
  expect(isClosed).toBe(false);
  await link.run('touch go');
  expect((await rest).out).toBe('first\nlast\n');
  await link.run('rm go');
});

test('a command outlives its link, and a closed channel', async () => {
  const work = 'echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; echo done > result';
  const pidOf = async () => {
    await until('it runs', async () => /^\d+\n$/.test((await link.run('cat pid')).out));
    return Number((await link.run('cat pid; rm pid')).out);
  };
  const other = await logIn(box, 'vm-prod-01');
  await other.open(work);
  const orphan = await pidOf();
  other.client.destroy();
  const channel = await link.open(work);
  const closed = await pidOf();
  channel.close();
  await until('the link is gone', async () => {
    const { json } = await control(box, 'GET instances/vm-prod-01');
    return JSON.parse(JSON.stringify(json)).ssh.links === 1;
  });
  expect([lives(orphan), lives(closed)]).toEqual([true, true]);
  await link.run('touch go');
  await until('it has done its work', async () => (await link.run('cat result')).out === 'done\n');
  await until('both have ended', () => !lives(orphan) && !lives(closed));
  await link.run('rm go result');
});

test('a signal reaches the whole group of the command', async () => {
  const channel = await link.open('sleep 60 & echo $!; wait');
  const [line]: unknown[] = await once(channel, 'data');
  channel.signal('KILL');
  expect(await ended(channel)).toMatchObject({ code: null, signal: 'SIGKILL' });
  await until('its child has ended', () => !lives(Number(String(line))));
});

test('a connection has as many sessions as it may, and gets more when one is over', async () => {
  const open = await Promise.all(Array.from({ length: 10 }, () => link.open('cat')));
  await expect(link.open('cat')).rejects.toThrow('Channel open failure');
  for (const channel of open) channel.end();
  await Promise.all(open.map(ended));
  await control(box, 'POST instances/vm-prod-01/ssh', { max_sessions: 1 });
  const last = await link.open('cat');
  await expect(link.open('cat')).rejects.toThrow('Channel open failure');
  last.end();
  expect((await ended(last)).code).toBe(0);
  await control(box, 'POST instances/vm-prod-01/ssh', { max_sessions: 10 });
});

test('only the client key opens a host, and only with its signature', async () => {
  const { username, key_path } = present(box.ssh);
  const place = { ...(await addressOf(box, 'web-1')), username, readyTimeout: 5_000 };
  const refused = 'All configured authentication methods failed';
  await expect(connected({ ...place, privateKey: strangersKey() })).rejects.toThrow(refused);
  await expect(logIn(box, 'web-1', { username: 'root' })).rejects.toThrow(refused);
  await expect(connected({ ...place, password: 'secret' })).rejects.toThrow(refused);

  // Shows the right public key and signs with another.
  class Thief extends ssh2.BaseAgent {
    override getIdentities(found: (problem: undefined, keys: ParsedKey[]) => void): void {
      found(undefined, [keyOf(publicKey)]);
    }
    override sign(_key: unknown, data: Buffer, options: unknown, signed?: (problem: undefined, by: Buffer) => void) {
      const done = typeof options === 'function' ? options : present(signed);
      done(undefined, keyOf(other.private).sign(data));
    }
  }
  const other = ssh2.utils.generateKeyPairSync('ed25519');
  const publicKey = readFileSync(`${key_path}.pub`, 'utf8');
  await expect(connected({ ...place, agent: new Thief() })).rejects.toThrow(refused);
  expect(statSync(key_path).mode & 0o777).toBe(0o600);
  expect((await (await logIn(box, 'web-1')).run('id -u')).code).toBe(0);
});

test('a password opens a host that was given one, until it is taken away', async () => {
  const place = { ...(await addressOf(box, 'web-2')), username: 'ec2-user', readyTimeout: 5_000 };
  await control(box, 'POST instances/web-2/login', { password: 'open sesame' });
  await expect(connected({ ...place, password: 'open' })).rejects.toThrow('authentication methods failed');
  (await connected({ ...place, password: 'open sesame' })).end();
  await control(box, 'POST instances/web-2/login', { password: null });
  await expect(connected({ ...place, password: 'open sesame' })).rejects.toThrow('authentication methods failed');
});

test('no shell, terminal, file transfer or forwarding is offered', async () => {
  const { client } = link;
  const problem = (ask: (answer: (problem?: Error | null) => void) => void) =>
    new Promise<string | undefined>((resolve) => ask((found) => resolve(found?.message)));
  expect(await problem((answer) => client.shell(answer))).toMatch('pseudo-terminal');
  expect(await problem((answer) => client.exec('true', { pty: true }, answer))).toMatch('pseudo-terminal');
  expect(await problem((answer) => client.sftp(answer))).toMatch('subsystem');
  expect(await problem((answer) => client.forwardIn('127.0.0.1', 0, answer))).toMatch('Unable to bind');
  const port = Number(new URL(box.url).port);
  expect(await problem((answer) => client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, answer))).toMatch('failure');
  const { host } = await addressOf(box, 'web-1');
  expect(await problem((answer) => client.forwardOut('127.0.0.1', 0, host, port, answer))).toMatch('failure');
});

test('a host is the way to the others of its network, by their private addresses too', async () => {
  const id = await idOf(box, 'web-1');
  const { json } = await control(box, 'GET instances/web-1');
  const { public_address, private_address } = JSON.parse(JSON.stringify(json));
  for (const address of [public_address, private_address]) {
    const sock = await new Promise<NonNullable<Parameters<typeof connected>[0]['sock']>>((resolve, reject) => {
      link.client.forwardOut('127.0.0.1', 0, address, present(box.ssh).port, (problem, stream) =>
        problem ? reject(problem) : resolve(stream),
      );
    });
    const beyond = await logIn(box, 'web-1', { sock });
    expect((await beyond.run('echo $FERMATA_SANDBOX_HOST')).out).toBe(`${id}\n`);
  }
  expect(only([...new Set([public_address.split('.').slice(0, 2).join('.')])])).toMatch(/^127\.\d+$/);
});
