// Jobs over a real OpenSSH server: a launch returns at once, the job outlives its link, and its log comes as bytes.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchJob, logJob, lookJob, signalJob } from '../../activities/remote/job.ts';
import type { JobReport } from '../../activities/remote/job-report.ts';
import { parseJob, parseLog, parseLook } from '../../activities/remote/job-report.ts';
import type { RemoteCall } from '../../activities/remote/wire.ts';
import type { Ssh } from '../../clients/ssh/index.ts';
import { openSsh } from '../../clients/ssh/index.ts';
import { addressOf } from '../clients/ssh-bench.ts';
import { noSshd, startSshd } from '../kit/sshd.ts';
import type { Sshd } from '../kit/sshd.ts';
import { until } from '../kit/until.ts';
import { JOB_SCRIPTS, jobSpec } from './job-machine.ts';

const MARK = `job-ssh-${process.pid}`;
const whereItIs = noSshd === undefined ? describe : describe.skip;

whereItIs(`OpenSSH${noSshd === undefined ? '' : `: left out, ${noSshd}`}`, () => {
  let sshd: Sshd;
  let ssh: Ssh;
  beforeAll(async () => {
    sshd = await startSshd({ env: { FERMATA_TEST_MACHINE: MARK, FERMATA_SPOT_NOTICE_FILE: '/dev/null' } });
    ssh = openSsh();
  });
  afterAll(async () => {
    await ssh.close();
    await sshd.stop();
  });

  const answer = async (call: RemoteCall): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    const ran = await ssh.run(addressOf(sshd), {
      ...call,
      timeoutMs: 20_000,
      capBytes: 10_000,
      onStdout: (chunk) => void chunks.push(chunk),
    });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    return Buffer.concat(chunks);
  };
  const report = async (call: RemoteCall): Promise<JobReport> => parseJob((await answer(call)).toString());
  const look = async (id: string) =>
    parseLook((await answer(lookJob(JOB_SCRIPTS, { ...jobSpec({ id, command: '-' }), logBytes: 100 }))).toString());
  const processes = () =>
    readdirSync('/proc').filter((entry) => {
      try {
        return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/environ`, 'utf8').includes(`=${MARK}\0`);
      } catch {
        return false;
      }
    });

  test('a launch of a minute returns in two seconds and holds no channel, and a cancel leaves nobody', async () => {
    const job = jobSpec({ id: 'minute', command: 'echo up; sleep 60 & sleep 60' });
    await ssh.run(addressOf(sshd), { command: 'true', timeoutMs: 20_000, capBytes: 10 });
    const begun = performance.now();
    expect(await report(launchJob(JOB_SCRIPTS, job))).toMatchObject({ launched: true });
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(ssh.stats().channels).toBe(0);
    await until('it is up', async () => (await look('minute')).logTail.endsWith('up\n'));
    await report(signalJob(JOB_SCRIPTS, { ...job, what: 'cancel' }));
    const ended = await until('the end', async () => {
      const { job: seen } = await look('minute');
      return seen.state === 'cancelled' && seen;
    });
    expect(ended).toMatchObject({ exitCode: 143, commandAlive: false });
    await until('nobody is left', () => processes().length === 0);
  });

  test('a job outlives its link, and every byte of what it prints comes over the next one', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * index) % 256));
    const command = 'echo "$$" >>"$HOME/witness"; until [ -e "$HOME/go" ]; do sleep 0.05; done; cat';
    const job = jobSpec({ id: 'bytes', command, stdin: bytes });
    await report(launchJob(JOB_SCRIPTS, job));
    await until('it has begun', () => existsSync(join(sshd.home, 'witness')));
    sshd.dropLinks();
    writeFileSync(join(sshd.home, 'go'), '');
    await until('the link is a new one', () => look('bytes'));
    expect(await report(launchJob(JOB_SCRIPTS, job))).toMatchObject({ launched: false });
    await until('the end', async () => (await look('bytes')).job.state === 'completed');
    const pieces: Uint8Array[] = [];
    for (let offset = 0; ;) {
      const piece = parseLog(await answer(logJob(JOB_SCRIPTS, { id: job.id, offset, maxBytes: 30_000 })));
      if (!piece || piece.bytes.length === 0) break;
      pieces.push(piece.bytes);
      offset = piece.nextOffset;
    }
    const log = Buffer.concat(pieces);
    const first = log.indexOf('\n') + 1;
    expect(log.subarray(first, first + bytes.length).equals(bytes)).toBe(true);
    expect(readFileSync(join(sshd.home, 'witness'), 'utf8')).toMatch(/^\d+\n$/);
    await until('nobody is left', () => processes().length === 0);
  });
});
