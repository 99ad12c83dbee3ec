// Commands over SSH: the same cases against a server inside the test and against a real OpenSSH server.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshOptions } from '../../clients/ssh/index.ts';
import { openSsh } from '../../clients/ssh/index.ts';
import { noSshd, startSshd } from '../kit/sshd.ts';
import type { SshdOptions } from '../kit/sshd.ts';
import { until } from '../kit/until.ts';
import type { Machine } from './ssh-bench.ts';
import { addressOf, benchOf, failureOf } from './ssh-bench.ts';
import { commandCases } from './ssh-cases.ts';
import { linkCases } from './ssh-link-cases.ts';
import { startFakeServer } from './ssh-server.ts';

function allCases(start: () => Promise<Machine>) {
  const bench = benchOf(start);
  commandCases(bench);
  linkCases(bench);
}

describe('a server inside the test', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-ssh-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  allCases(() => startFakeServer(dir));
});

const whereItIs = noSshd === undefined ? describe : describe.skip;
whereItIs(`OpenSSH${noSshd === undefined ? '' : `: left out, ${noSshd}`}`, () => {
  allCases(() => startSshd());

  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  const start = async (options: SshdOptions) => {
    const sshd = await startSshd(options);
    stops.push(() => sshd.stop());
    return sshd;
  };
  const open = (options?: Partial<SshOptions>) => {
    const ssh = openSsh(options);
    stops.push(() => ssh.close());
    return ssh;
  };
  const request = (command: string, timeoutMs = 20_000) => ({ command, timeoutMs, capBytes: 1_000 });

  test('with few sessions runs all commands, and with what was given up still in them', async () => {
    const sshd = await start({ maxSessions: 2, env: { GREETING: 'good day' } });
    const address = addressOf(sshd);
    const ssh = open({ linksPerAddress: 1, refusedMs: 100 });
    const all = await Promise.all(Array.from({ length: 6 }, () => ssh.run(address, request('echo $GREETING'))));
    expect(all.map(({ stdout }) => stdout)).toEqual(all.map(() => 'good day\n'));
    // As root the server does not pass the signal on, and counts the sessions until the commands end.
    const deaf = "echo $$; trap '' TERM; exec sleep 15";
    const given = await Promise.all([1, 2].map(() => ssh.run(address, request(deaf, 1_500))));
    for (const { stdout } of given) stops.push(async () => void process.kill(Number(stdout), 'SIGKILL'));
    expect(given.map(({ lost }) => lost)).toEqual(['timeout', 'timeout']);
    expect(await ssh.run(address, request('echo again', 8_000))).toMatchObject({ code: 0, stdout: 'again\n' });
  });

  test('whose links are dropped goes on with the command, and nobody says how it ended', async () => {
    const sshd = await start({});
    const ssh = open();
    const done = join(sshd.home, 'done');
    const running = ssh.run(addressOf(sshd), {
      ...request(`echo begun; sleep 0.5; : > ~/done`),
      onStdout: () => sshd.dropLinks(),
    });
    expect(await running).toMatchObject({ code: null, lost: 'link', stdoutBytes: 6 });
    await until('the command goes on', () => existsSync(done));
  });

  test('that is started again is the same machine, and another one at its address is not', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fermata-same-sshd-'));
    stops.push(() => rm(dir, { recursive: true, force: true }));
    const first = await startSshd({ dir });
    const ssh = open();
    const address = addressOf(first);
    await ssh.check(address, 10_000);
    await first.stop();
    expect(await failureOf(ssh.check(address, 10_000))).toMatchObject({ type: 'SshUnreachable' });
    const again = await startSshd({ dir, port: first.port });
    expect(await ssh.check(address, 10_000)).toMatchObject({ fingerprint: first.fingerprint });
    await again.stop();
    const other = await start({ port: first.port, keyTypes: ['ecdsa', 'ed25519'] });
    expect(await failureOf(ssh.check(address, 10_000))).toMatchObject({ type: 'HostKeyChanged' });
    expect([again.logins(), other.logins()]).toEqual([2, 0]);
    for (const fingerprint of other.fingerprints) {
      const pinned = { ...addressOf(other), hostKey: { fingerprints: [fingerprint] } };
      expect(await ssh.check(pinned, 10_000)).toMatchObject({ fingerprint });
    }
  });
});
