// Whatever keeps a job from beginning is said, claims nothing, and is no reason against asking again.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchJob } from '../../activities/remote/job.ts';
import { parseJob } from '../../activities/remote/job-report.ts';
import { remoteCall } from '../../activities/remote/wire.ts';
import type { JobLaunch } from '../../activities/remote/job.ts';
import { until } from '../kit/until.ts';
import { JOB_SCRIPTS, jobId, JobMachine, jobSpec, UNTIL_GO } from './job-machine.ts';
import { sha256, SHELLS, succeeds } from './machine.ts';

const JOB = { id: 'setup', command: 'touch "$HOME/witness"' };

describe.each(SHELLS)('in %s', (shell) => {
  let machine: JobMachine;
  beforeEach(() => {
    machine = new JobMachine(shell);
  });
  afterEach(() => machine.close());

  test('each is refused with its reason, leaves nothing behind, and the same launch then works', async () => {
    const refused = async (why: RegExp, job: Partial<JobLaunch> = {}, env: Readonly<Record<string, string>> = {}) => {
      const { stdout } = await machine.run(launchJob(JOB_SCRIPTS, { ...jobSpec(JOB), ...job }), env);
      expect(parseJob(stdout.toString())).toEqual({ state: 'setup_failed', why: expect.stringMatching(why) });
      const stage = join(machine.home, '.fermata', 'stage');
      expect(existsSync(stage) ? readdirSync(stage) : []).toEqual([]);
    };
    writeFileSync(join(machine.home, 'file'), '');
    await refused(/cannot be entered.*nowhere$/, { cwd: '/nowhere' });
    await refused(/cannot be entered/, { cwd: join(machine.home, 'file') });
    await refused(/no home folder/, {}, { HOME: '' });
    await refused(/\S/, {}, { HOME: '/proc' });
    await refused(/boot id/, {}, { FERMATA_BOOT_ID_FILE: '/nowhere' });
    await refused(/^sha256sum is missing/, {}, { PATH: machine.without('sha256sum') });
    if (shell === 'bash') await refused(/variable/, { env: { BASHOPTS: 'x' } });
    expect(await machine.seen(JOB.id)).toMatchObject({ state: 'absent' });
    expect(existsSync(join(machine.home, 'witness'))).toBe(false);
    expect(await machine.launch(JOB)).toMatchObject({ launched: true });
    await machine.ends(JOB.id);
    expect(await machine.launch({ ...JOB, cwd: '/nowhere', generation: 2 })).toMatchObject({ state: 'setup_failed' });
    expect(await machine.status(JOB.id)).toMatchObject({ state: 'completed', generation: 1 });
  });

  test('what was begun is said to be so, whatever has become of its machine since', async () => {
    mkdirSync(join(machine.home, 'work'));
    const job = {
      ...JOB,
      cwd: join(machine.home, 'work'),
      command: `echo up >"$HOME/up"; ${UNTIL_GO}`,
      stdin: Buffer.alloc(300_000),
    };
    expect(await machine.launch(job)).toMatchObject({ launched: true });
    await machine.wrote('up');
    rmSync(join(machine.home, 'work'), { recursive: true });
    expect(await machine.launch(job)).toMatchObject({ launched: false, generation: 1, attempts: [] });
    expect(await machine.launch({ ...job, generation: 2 })).toMatchObject({ state: 'busy', generation: 1 });
    writeFileSync(join(machine.home, 'go'), '');
    await machine.ends(JOB.id);
    expect(await machine.launch(job)).toMatchObject({ state: 'completed', launched: false });
    expect(await machine.launch({ ...job, generation: 2 })).toMatchObject({ state: 'setup_failed' });
    expect(readdirSync(join(machine.home, '.fermata', 'stage'))).toEqual([]);
  });

  test('a runner has half a minute to say who it is, and until then it lives', async () => {
    const late = { ...JOB_SCRIPTS, runner: `[ "$1" != run ] || exec sleep 60\n${JOB_SCRIPTS.runner}` };
    expect(await machine.launch(JOB, {}, late)).toMatchObject({ launched: true, state: 'starting' });
    const claimedAgo = (seconds: number) => {
      const [token = '', , boot = ''] = machine.text(JOB.id, 'g1/claim').trim().split(' ');
      const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
      writeFileSync(machine.jobPath(JOB.id, 'g1/claim'), `${token} ${Math.round((uptime - seconds) * 100)} ${boot}\n`);
    };
    claimedAgo(20);
    expect(await machine.status(JOB.id)).toMatchObject({ state: 'starting' });
    expect(await machine.launch({ ...JOB, generation: 2 })).toMatchObject({ state: 'busy' });
    claimedAgo(31);
    expect(await machine.status(JOB.id)).toMatchObject({ state: 'unknown', commandAlive: false });
    for (const { pid } of machine.processes()) process.kill(pid, 'SIGKILL');
  });

  test('a launch that is cut anywhere, or has another runner than promised, begins nothing', async () => {
    const call = launchJob(JOB_SCRIPTS, { ...jobSpec(JOB), stdin: Buffer.from('x'.repeat(1_000)) });
    const { length } = call.stdin;
    for (const bytes of [0, 100, length - 1_001, length - 1_000, length - 1]) {
      const { stdout } = await machine.run({ ...call, stdin: call.stdin.subarray(0, bytes) });
      const why = expect.stringMatching(/cut short|not base64/);
      expect(parseJob(stdout.toString())).toEqual({ state: 'setup_failed', why });
    }
    const text = Buffer.from(call.stdin).toString();
    const line = (runner: string) => `runner ${Buffer.from(runner).toString('base64')}\n`;
    const other = text.replace(line(JOB_SCRIPTS.runner), line('true'));
    const { stdout } = await machine.run({ ...call, stdin: Buffer.from(other) });
    expect(parseJob(stdout.toString())).toMatchObject({ why: 'the runner did not arrive whole' });
    expect(await machine.seen(JOB.id)).toMatchObject({ state: 'absent' });
  });

  test('another request under the same id is refused by each mode, and so are ids and arguments that are none', async () => {
    await machine.launch({ ...JOB, command: 'sleep 60' });
    await machine.numberOf(JOB.id, 'child');
    const ref = [
      ['id', jobId(JOB.id)],
      ['digest', sha256('another')],
    ] as const;
    const answer = async (mode: string, args: readonly (readonly [string, string])[]) =>
      parseJob((await machine.run(remoteCall(JOB_SCRIPTS.job, mode, args))).stdout.toString());
    expect(await answer('look', [...ref, ['log_bytes', '0']])).toMatchObject({ state: 'mismatch' });
    expect(await answer('signal', [...ref, ['what', 'cancel']])).toMatchObject({ state: 'mismatch' });
    const digest = ['digest', sha256('x')] as const;
    for (const id of [
      '',
      'setup',
      '../job-setup0000000',
      'job-setup',
      'job-SETUP0000000',
      'job-setup00000001',
      'job-a/b000000000',
    ]) {
      expect(await answer('look', [['id', id], digest, ['log_bytes', '0']])).toMatchObject({
        why: 'the id is not valid',
      });
    }
    expect(await answer('look', [...ref, ['log_bytes', '-1']])).toMatchObject({ why: /log_bytes/ });
    expect(await answer('look', [...ref, ['PATH', '/']])).toMatchObject({ why: /'PATH'/ });
    expect(await answer('signal', [...ref, ['what', 'clean']])).toMatchObject({ why: /clean/ });
    expect(await answer('nothing', ref)).toMatchObject({ state: 'setup_failed' });
    expect(await machine.ask(JOB.id, 'cancel')).toMatchObject({ generation: 1 });
    expect(await machine.ends(JOB.id)).toMatchObject({ state: 'cancelled' });
  });
});

test('a full disk: nothing begins on it, and a job that fills it keeps its states and its end', async () => {
  const machine = new JobMachine('dash');
  const disk = join(machine.home, 'disk');
  mkdirSync(disk);
  const mounted = succeeds('mount', '-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', disk);
  try {
    if (!mounted) {
      process.stdout.write('skipped: only root can mount a small disk\n');
      return;
    }
    const env = { HOME: disk };
    const look = async (name: string) => (await machine.lookFurther(name, env)).job;
    const large = { id: 'large', command: 'true', stdin: Buffer.alloc(1_000_000) };
    expect(await machine.launch(large, env)).toMatchObject({ state: 'setup_failed', why: /space|full/ });
    expect(await look('large')).toMatchObject({ state: 'absent' });
    const command = 'cat /dev/zero >"$HOME/fill"; seq 50000; exit 5';
    expect(await machine.launch({ id: 'filling', command, maxRetries: 1 }, env)).toMatchObject({ launched: true });
    const end = await until('the end', async () => {
      const report = await look('filling');
      return report.state === 'failed' && report;
    });
    expect(end).toMatchObject({ exitCode: 5, attempts: [{ exitCode: 5 }, { exitCode: 5 }] });
    expect(statfsSync(disk).bavail).toBeLessThan(4);
    expect(await machine.launch({ id: 'small', command: 'true' }, env)).toMatchObject({ state: 'setup_failed' });
    expect(await look('small')).toMatchObject({ state: 'absent' });
  } finally {
    if (mounted) succeeds('umount', '-l', disk);
    await machine.close();
  }
});
