// What holds for links to every SSH server: how many, for how long, to whom, and through whom; run against more than one.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../kit/until.ts';
import type { Bench } from './ssh-bench.ts';
import { failureOf, OTHER_KEY } from './ssh-bench.ts';
import { newKey } from './ssh-server.ts';

/** Defines the tests. */
export function linkCases({ machine: machineOf, address: addressOf, open, run }: Bench) {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-ssh-cases-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('many commands at a time share few links, none of which carries too many', async () => {
    const ssh = open();
    const most = { links: 0, channels: 0 };
    const sampler = setInterval(() => {
      most.links = Math.max(most.links, ssh.stats().links);
      most.channels = Math.max(most.channels, ssh.stats().channels);
    }, 5);
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => run(ssh, `sleep 0.2; echo ${n}`)));
    clearInterval(sampler);
    expect(all.map(({ stdout }) => stdout.trim())).toEqual(all.map((_, n) => String(n)));
    expect(most.links).toBe(3);
    expect(most.channels).toBeGreaterThan(8);
    expect(most.channels).toBeLessThanOrEqual(24);
    expect(ssh.stats()).toEqual({ links: 3, channels: 0 });
  });

  test('who waits is served in the order of coming, and told when it took too long', async () => {
    const ssh = open({ commandsPerLink: 1, linksPerAddress: 1 });
    const order: number[] = [];
    const first = run(ssh, 'sleep 1');
    await until('the only channel is taken', () => ssh.stats().channels === 1);
    const others = [1, 2, 3].map((n) => run(ssh, 'true').then(() => order.push(n)));
    expect(await failureOf(run(ssh, 'true', { timeoutMs: 200 }))).toMatchObject({ type: 'SshBusy' });
    await Promise.all([first, ...others]);
    expect(order).toEqual([1, 2, 3]);
  });

  test('a host key that is not pinned is refused, and nobody logs in', async () => {
    const machine = machineOf();
    const address = addressOf();
    const ssh = open();
    const at = (fingerprints: readonly string[]) => ({ ...address, hostKey: { fingerprints } });
    const changed = { type: 'HostKeyChanged', seen: machine.fingerprint, host: `${machine.host}:${machine.port}` };
    const request = { command: 'true', timeoutMs: 10_000, capBytes: 10 };
    for (const pins of [[OTHER_KEY], []]) {
      const pinned = pins.join(', ') || 'none';
      expect(await failureOf(ssh.run(at(pins), request))).toEqual({ ...changed, pinned });
      expect(await failureOf(ssh.check(at(pins), 10_000))).toEqual({ ...changed, pinned });
    }
    expect(ssh.stats()).toEqual({ links: 0, channels: 0 });
    expect(await ssh.run(at([OTHER_KEY, `${machine.fingerprint}=`]), request)).toMatchObject({ code: 0 });
  });

  test('a key that may not log in is said to be that', async () => {
    const machine = machineOf();
    const address = addressOf();
    const path = join(dir, 'stranger');
    writeFileSync(path, newKey('ed25519').private, { mode: 0o600 });
    const stranger = { ...address, auth: { kind: 'key', path } as const };
    const refused = { type: 'SshAuth', username: machine.username, credential: 'key' };
    expect(await failureOf(open().check(stranger, 10_000))).toMatchObject(refused);
    const guess = { ...address, auth: { kind: 'password', password: 'hunter2' } as const };
    const said = await failureOf(open().check(guess, 10_000));
    expect(said).toMatchObject({ ...refused, credential: 'password' });
    expect(JSON.stringify(said)).not.toContain('hunter2');
  });

  test('a look at a place tells its host key, and a check logs in', async () => {
    const machine = machineOf();
    const address = addressOf();
    const ssh = open();
    expect(await ssh.scan(machine, 10_000)).toEqual({ fingerprint: machine.fingerprint, keyType: 'ssh-ed25519' });
    const { fingerprint, latencyMs } = await ssh.check(address, 10_000);
    expect(fingerprint).toBe(machine.fingerprint);
    expect(latencyMs).toBeGreaterThan(0);
    expect(ssh.stats()).toEqual({ links: 0, channels: 0 });
  });

  test('a link is used again, and closed when nobody needs it', async () => {
    const ssh = open({ idleMs: 300 });
    await run(ssh, 'true');
    await run(ssh, 'true');
    expect(ssh.stats()).toEqual({ links: 1, channels: 0 });
    await until('the link is closed', () => ssh.stats().links === 0, 5_000);
    expect(await run(ssh, 'echo again')).toMatchObject({ stdout: 'again\n' });
  });

  test('an address that is forgotten loses its links, and gets new ones', async () => {
    const address = addressOf();
    const ssh = open();
    const running = run(ssh, 'echo begun; sleep 30');
    await until('it runs', () => ssh.stats().channels === 1);
    ssh.forget(address);
    expect(await running).toMatchObject({ code: null, lost: 'link' });
    expect(await run(ssh, 'echo again')).toMatchObject({ code: 0, stdout: 'again\n' });
  });

  test('closing ends everything soon, and refuses what comes later', async () => {
    const ssh = open({ commandsPerLink: 1, linksPerAddress: 1 });
    const running = run(ssh, 'sleep 30');
    await until('it runs', () => ssh.stats().channels === 1);
    const waiting = failureOf(run(ssh, 'true'));
    const begun = performance.now();
    await ssh.close();
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await running).toMatchObject({ code: null, lost: 'link' });
    expect(await waiting).toMatchObject({ type: 'SshUnreachable' });
    expect(await failureOf(run(ssh, 'true'))).toMatchObject({ type: 'SshUnreachable', why: 'the client was closed' });
    expect(ssh.stats()).toEqual({ links: 0, channels: 0 });
  });

  test('a machine behind another is reached through it, and both must show their keys', async () => {
    const machine = machineOf();
    const address = addressOf();
    const ssh = open({ idleMs: 300 });
    const behind = { ...address, jump: address };
    const request = { command: 'cat', stdin: 'through', timeoutMs: 20_000, capBytes: 100 };
    const all = await Promise.all(Array.from({ length: 12 }, () => ssh.run(behind, request)));
    expect(all.map(({ code, stdout }) => [code, stdout])).toEqual(all.map(() => [0, 'through']));
    expect(await ssh.scan({ ...machine, jump: address }, 10_000)).toMatchObject({ fingerprint: machine.fingerprint });
    expect(await ssh.check(behind, 10_000)).toMatchObject({ fingerprint: machine.fingerprint });
    const wrong = { ...behind, hostKey: { fingerprints: [OTHER_KEY] } };
    expect(await failureOf(ssh.check(wrong, 10_000))).toMatchObject({ type: 'HostKeyChanged' });
    const wrongJump = { ...address, jump: { ...address, hostKey: { fingerprints: [] } } };
    expect(await failureOf(ssh.run(wrongJump, request))).toMatchObject({ type: 'HostKeyChanged' });
    const closed = { ...behind, port: 1 };
    expect(await failureOf(ssh.run(closed, request))).toMatchObject({ type: 'SshUnreachable', host: '127.0.0.1:1' });
    await until('no link is left', () => ssh.stats().links === 0, 5_000);
  });
}
