// Keys of both sides: which host keys are accepted and where they are read from, and which key files are not used.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintsIn } from '../../clients/ssh/index.ts';
import { addressOf, failureOf, OTHER_KEY } from './ssh-bench.ts';
import { faultBench } from './ssh-fault-bench.ts';
import { newKey, newLockedKey } from './ssh-server.ts';

const { dir, open, serve } = faultBench();

describe('of servers and users', () => {
  test('of several host keys any pinned one will do, and nothing else', async () => {
    const server = await serve({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
    const ssh = open();
    expect(new Set(server.fingerprints).size).toBe(3);
    for (const fingerprint of server.fingerprints) {
      const address = { ...addressOf(server), hostKey: { fingerprints: [fingerprint] } };
      for (const _time of ['found', 'known']) expect(await ssh.check(address, 5_000)).toMatchObject({ fingerprint });
    }
    const none = { ...addressOf(server), hostKey: { fingerprints: [OTHER_KEY] } };
    expect(await failureOf(ssh.check(none, 5_000))).toMatchObject({
      type: 'HostKeyChanged',
      seen: server.fingerprints[0],
    });
    expect(server.seen.logins).toBe(6);
  });

  test('a machine that has only other types of key than the known one has changed', async () => {
    const before = await serve({ hostKeys: ['rsa'] });
    const ssh = open();
    expect(await ssh.check(addressOf(before), 5_000)).toMatchObject({ fingerprint: before.fingerprint });
    const after = await serve({ hostKeys: ['ed25519'] });
    const moved = { ...addressOf(before), port: after.port };
    expect(await failureOf(ssh.check(moved, 5_000))).toMatchObject({
      type: 'HostKeyChanged',
      seen: after.fingerprint,
      pinned: before.fingerprint,
    });
    expect(after.seen.logins).toBe(0);
  });

  const file = (name: string, content: string, mode = 0o600) => {
    writeFileSync(join(dir, name), content);
    chmodSync(join(dir, name), mode);
    return join(dir, name);
  };
  const pair = newKey('ed25519');
  test.each([
    ['is not there', () => join(dir, 'nowhere'), /no such file/],
    ['is a folder', () => dir, /not a file/],
    ['others may read', () => file('open', pair.private, 0o644), /mode 0644/],
    ['the group may write', () => file('group', pair.private, 0o620), /mode 0620/],
    ['is empty', () => file('empty', ''), /known format/],
    ['is a text', () => file('text', 'dear diary'), /known format/],
    ['is public', () => file('public', pair.public), /not a private key/],
    ['is far too large', () => file('large', 'x'.repeat(70_000)), /larger/],
    ['is broken', () => file('broken', pair.private.replace(/\n.{40}/, '\n')), /known format/],
    ['is encrypted', () => file('locked', newLockedKey()), /passphrase/],
  ])('a key file that %s is refused, without its content', async (_name, make, why) => {
    const server = await serve();
    const path = make();
    const address = { ...addressOf(server), auth: { kind: 'key', path } as const };
    const said = await failureOf(open().check(address, 5_000));
    expect(said).toMatchObject({ type: 'SshKeyRefused', path, why: expect.stringMatching(why) });
    expect(JSON.stringify(said)).not.toMatch(/PRIVATE KEY|dear diary|b3BlbnNzaC1rZXk/);
    expect(server.connections.size).toBe(0);
  });
});

describe('the console output of an instance', () => {
  const [first, second, third] = ['b', 'c', 'd'].map((letter) => `SHA256:${letter.repeat(42)}+`);
  const block = (...lines: (string | undefined)[]) =>
    ['-----BEGIN SSH HOST KEY FINGERPRINTS-----', ...lines, '-----END SSH HOST KEY FINGERPRINTS-----'].join('\n');
  const printed = `256 ${first} root@ip-10-0-0-1 (ECDSA)`;

  test.each<[string, string, (string | undefined)[]]>([
    ['nothing', '', []],
    ['no block', `login: ${printed}`, []],
    ['a block', block(printed, `256 ${second} root@ip-10-0-0-1 (ED25519)`), [first, second]],
    ['prefixes of Amazon Linux and Windows line ends', block(`ec2: ${printed}`).replaceAll('\n', '\r\nec2: '), [first]],
    ['prefixes of Ubuntu', block(`<14>Nov 21 10:00:00 cloud-init: ${printed}`), [first]],
    ['the time of the kernel', block(`[   12.345678] cloud-init[812]: ${printed}`), [first]],
    ['the last boot alone', `${block(printed)}\n...\n${block(`256 ${third} root@b (RSA)`)}`, [third]],
    ['a last block without any', `${block(printed)}\n${block()}`, [first]],
    [
      'a block that was cut, and a whole one',
      `${block(printed).slice(0, -20)}\n${block(`3072 ${third} r (RSA)`)}`,
      [third],
    ],
    ['a block that is not complete yet', block(printed).slice(0, -20), []],
    ['keys of people', `ci-info: | ssh-rsa | ${second} | - | me |\n${block(printed)}\nci-info: ${third}`, [first]],
    ['a fingerprint that was cut', block(printed.slice(0, 30), `256 ${second}x root (RSA)`), []],
    ['MD5', block('256 MD5:d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e root (RSA)'), []],
    ['one twice, once with padding', block(printed, `256 ${first}= root (RSA)`), [first]],
  ])('%s', (_name, output, expected) => {
    expect(fingerprintsIn(output)).toEqual(expected);
  });
});
