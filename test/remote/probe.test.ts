// The probe as machines run it: under each shell, with GPUs that work, rest, hang and lie, and never for long.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { CustomSays, GpuSight } from '../../domain/probe.ts';
import { until } from '../kit/until.ts';
import type { Machine } from './probed-machine.ts';
import { SHELLS, machine, programOf, quickMachine } from './probed-machine.ts';

const made: Machine[] = [];
const keep = (one: Machine): Machine => {
  made.push(one);
  return one;
};
afterAll(() => made.forEach((one) => one.remove()));

/** A program that answers the two questions as nvidia-smi does. */
const nvidia = (gpus: string, apps = ':') =>
  `case $1 in --query-gpu=*) ${gpus} ;; --query-compute-apps=*) ${apps} ;; esac`;
const gpu = (index: number, utilizationPercent: number | null, memoryUsedMb: number | null) => ({
  ...{ index, utilizationPercent, memoryUsedMb },
  memoryTotalMb: 15360,
});

describe.each(SHELLS)('under %s', (shell) => {
  test('a look at this very machine shows values that make sense, within seconds', async () => {
    const seen = await keep(machine(shell)).look();
    expect(seen).toMatchObject({ complete: true, gpu: { kind: 'none' }, logins: 0, runsInFlight: 0, custom: null });
    expect(seen).toMatchObject({ jobHeartbeatAgeS: null, processes: [] });
    expect(seen.bootId).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect(seen.cpuPercent).toBeGreaterThanOrEqual(0);
    expect(seen.cpuPercent).toBeLessThanOrEqual(100);
    expect(seen.cpuCores).toBeGreaterThan(0);
    expect(seen.networkBytesPerSecond).toBeGreaterThanOrEqual(0);
    expect(seen.uptimeS).toBeGreaterThan(1);
    expect(seen.tookMs).toBeLessThan(5_000);
  });

  test.each<[string, string, GpuSight]>([
    [
      'one that works',
      nvidia('echo "0, 87, 9000, 15360"', 'echo "4242, 8990"'),
      { kind: 'gpus', gpus: [gpu(0, 87, 9000)], apps: [{ pid: 4242, memoryMb: 8990 }] },
    ],
    ['one that rests', nvidia('echo "0, 0, 3, 15360"'), { kind: 'gpus', gpus: [gpu(0, 0, 3)], apps: [] }],
    [
      'several, one of which tells little',
      nvidia(
        'printf "0, 0, 3, 15360\\n1, 99, 5, 15360\\n2, [N/A], [Not Supported], 15360\\n"',
        'printf "7, [N/A]\\n8, 1\\n"',
      ),
      {
        kind: 'gpus',
        gpus: [gpu(0, 0, 3), gpu(1, 99, 5), gpu(2, null, null)],
        apps: [...[{ pid: 7, memoryMb: null }], { pid: 8, memoryMb: 1 }],
      },
    ],
    ['none', 'echo "No devices were found"; exit 6', { kind: 'none' }],
    [
      'a driver that does not fit',
      'echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18',
      {
        kind: 'unreadable',
        why: 'nvidia-smi ended with 18: Failed to initialize NVML: Driver/library version mismatch',
      },
    ],
    ['garbage', 'echo "%PDF-1.4 0, 0, 0"', { kind: 'unreadable', why: 'odd answer: %PDF-1.4 0, 0, 0' }],
    [
      'a part of a line',
      nvidia('printf "0, 0, 3, 15360\\n1, 0"'),
      { kind: 'unreadable', why: 'odd answer: 0, 0, 3, 15360 1, 0' },
    ],
    ['silence', ':', { kind: 'unreadable', why: 'nvidia-smi names no GPU' }],
    [
      'trouble',
      nvidia('echo "0, [Unknown Error], 3, 15360"'),
      { kind: 'unreadable', why: 'odd answer: 0, [Unknown Error], 3, 15360' },
    ],
    [
      'more than a whole',
      nvidia('echo "0, 101, 3, 15360"'),
      { kind: 'unreadable', why: 'odd answer: 0, 101, 3, 15360' },
    ],
    [
      'odd processes',
      nvidia('echo "0, 0, 3, 15360"', 'echo "-1, 5"'),
      { kind: 'unreadable', why: 'odd answer: -1, 5' },
    ],
    [
      'more than anybody reads',
      'while :; do echo "0, 0, 3, 15360"; done',
      { kind: 'unreadable', why: expect.stringMatching(/^nvidia-smi ended with \d+: 0, 0, 3/) },
    ],
  ])('GPUs: %s', async (_, script, expected) => {
    const gpus = keep(quickMachine(shell));
    gpus.install('nvidia-smi', script);
    const seen = await gpus.look();
    expect(seen.gpu).toEqual(expected);
    expect(seen.complete).toBe(true);
  });

  test('a driver without nvidia-smi is no machine without a GPU', async () => {
    const hidden = keep(quickMachine(shell));
    hidden.write('proc/driver/nvidia/gpus/0000/information', '');
    const env = { FERMATA_PROC_DIR: join(hidden.home, 'proc') };
    const other = keep(quickMachine(shell, env));
    expect((await other.look()).gpu).toMatchObject({ kind: 'unreadable' });
  });

  test.each<[string, string, CustomSays, string]>([
    ['busy', 'echo busy', 'busy', 'busy'],
    ['idle with space around it', 'printf " idle\\n\\n"', 'idle', 'idle'],
    ['another case', 'echo BUSY', 'unknown', 'BUSY'],
    ['more words', 'echo idle, I think', 'unknown', 'idle, I think'],
    ['nothing', ':', 'unknown', ''],
    ['idle, and a failure', 'echo idle; exit 3', 'unknown', 'idle (ended with 3)'],
    ['quotes and lines', 'a="bu"\nb=\'sy\'\necho "$a$b"', 'busy', 'busy'],
    ['no such program', 'no-such-program', 'unknown', '(ended with 127)'],
    ['other bytes', "printf 'idle\\000\\377'", 'unknown', 'idle\uFFFD'],
  ])("the member's command: %s", async (_, command, custom, customSays) => {
    const seen = await keep(quickMachine(shell)).look({ processNames: [], custom: { command, timeoutS: 5 } });
    expect(seen).toMatchObject({ custom, customSays, complete: true });
  });

  test("the member's command hangs: not known, after its own time", async () => {
    const custom = { command: `echo idle; ${programOf('sleep')} 30`, timeoutS: 1 };
    const seen = await keep(quickMachine(shell)).look({ processNames: [], custom });
    expect(seen).toMatchObject({ custom: 'unknown', customSays: 'idle (not in time)', complete: true });
    expect(seen.tookMs).toBeLessThan(4_000);
  });

  test('processes are counted by their names, not by what their command lines mention, and never the look itself', async () => {
    const busy = keep(quickMachine(shell));
    const long = 'trainer-with-a-long-name';
    for (const name of [long, 'decoy']) symlinkSync(programOf('sleep') ?? '', join(busy.home, name));
    const started = [
      spawn(join(busy.home, long), ['60']),
      spawn(join(busy.home, long), ['60']),
      spawn(join(busy.home, 'decoy'), ['60'], { argv0: '/home/mentioned/run' }),
      // Another one with the name of the shell that the look itself runs under.
      spawn(join(busy.home, 'bin', 'login-shell'), ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'ignore'] }),
    ];
    await Promise.all(started.map((child) => once(child, 'spawn')));
    const processNames = [long, 'mentioned', 'login-shell', 'trainer', 'with\nnewline', 'de?oy', '$(echo decoy)'];
    const seen = await busy.look({ processNames, custom: null });
    for (const child of started) child.kill('SIGKILL');
    expect(seen.processes).toEqual([
      ...[
        { name: long, count: 2 },
        { name: 'mentioned', count: 0 },
        { name: 'login-shell', count: 1 },
      ],
      ...['trainer', 'de?oy', '$(echo decoy)'].map((name) => ({ name, count: 0 })),
    ]);
  });

  test('heartbeats: the youngest counts, one from the future is young, one of last week is none', async () => {
    const jobs = keep(quickMachine(shell));
    const now = Date.now() / 1000;
    const beat = (job: string, ageS: number) =>
      utimesSync(jobs.write(`.fermata/jobs/${job}/heartbeat`, ''), now - ageS, now - ageS);
    beat('old', 7 * 86_400);
    expect((await jobs.look()).jobHeartbeatAgeS).toBeNull();
    beat('a', 900);
    beat('b', 300);
    const { jobHeartbeatAgeS } = await jobs.look();
    expect(jobHeartbeatAgeS).toBeGreaterThanOrEqual(299);
    expect(jobHeartbeatAgeS).toBeLessThan(330);
    beat('c', -3600);
    expect((await jobs.look()).jobHeartbeatAgeS).toBe(0);
  });

  test('commands in flight: those that live and have not ended', async () => {
    const runs = keep(quickMachine(shell));
    const started = readFileSync(`/proc/${process.pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ')[19];
    const own = `${process.pid} ${started}\n`;
    runs.write('.fermata/runs/lives/pid', own);
    runs.write('.fermata/runs/lost-its-runner/pid', '\n');
    runs.write('.fermata/runs/lost-its-runner/child', own);
    runs.write('.fermata/runs/ended/pid', own);
    runs.write('.fermata/runs/ended/exit', 'exit 0\n');
    runs.write('.fermata/runs/another-process/pid', `${process.pid} 1\n`);
    runs.write('.fermata/runs/gone/pid', '4194305 1\n');
    runs.write('.fermata/runs/claimed/pid', '\n');
    expect((await runs.look()).runsInFlight).toBe(2);
  });

  test('logins are counted, and a `who` that fails leaves them unknown', async () => {
    const shared = keep(quickMachine(shell));
    shared.install('who', 'echo "ann pts/0 2030-01-01"; echo "bob pts/1 2030-01-01"');
    expect((await shared.look()).logins).toBe(2);
    shared.install('who', 'exit 1');
    expect(await shared.look()).toMatchObject({ logins: null, complete: true });
  });

  test('CPU and network are what was spent in the second, of all cores and of all but loopback', async () => {
    const source = keep(quickMachine(shell));
    const moment = (name: string, uptime: string, cpu: string, eth: string) => {
      source.write(`${name}/uptime`, `${uptime} 1.00\n`);
      source.write(`${name}/stat`, `cpu  ${cpu} 0 0\ncpu0 1 1\ncpu1 1 1\nintr 5\n`);
      const net = [
        `    lo: 9${eth} 0 0 0 0 0 0 0 9${eth} 0`,
        `  eth0:${eth} 0 0 0 0 0 0 0 7 0`,
        'eth1: 1 0 0 0 0 0 0 0 1 0',
      ];
      source.write(`${name}/net/dev`, `Inter-| Receive\n face |bytes\n${net.join('\n')}\n`);
    };
    moment('proc', '100.00', '100 0 50 1000 10 0 0 7', '5000');
    moment('later', '102.00', '130 10 60 1130 20 0 0 17', '7000');
    const env = { FERMATA_PROC_DIR: join(source.home, 'proc') };
    const other = keep(quickMachine(shell, env));
    other.install('sleep', `cp -r "${source.home}/later/." "${source.home}/proc/"`);
    symlinkSync(programOf('cp') ?? '', join(other.home, 'bin', 'cp'));
    const seen = await other.look();
    expect(seen).toMatchObject({ cpuPercent: 25, cpuCores: 2, networkBytesPerSecond: 1000, uptimeS: 102 });
  });
});

/** The same under every shell at once, because most of it is waiting. */
const underEach = (work: (shell: string) => Promise<void>) => Promise.all(SHELLS.map(work));

test('nvidia-smi hangs and hears no signal: the rest is read, in time, and nothing is left behind', async () => {
  await underEach(async (shell) => {
    const stuck = keep(machine(shell));
    const sleep = programOf('sleep');
    stuck.install('nvidia-smi', `trap '' TERM INT HUP; echo $$ >>"$HOME/stuck"; while :; do ${sleep} 1; done`);
    const seen = await stuck.look();
    expect(seen.gpu).toEqual({ kind: 'unreadable', why: 'nvidia-smi does not answer in time' });
    expect(seen).toMatchObject({ complete: true, logins: 0, runsInFlight: 0 });
    expect(seen.cpuPercent).not.toBeNull();
    expect(seen.tookMs).toBeLessThan(12_000);
    const pids = readFileSync(join(stuck.home, 'stuck'), 'utf8').trim().split('\n');
    expect(pids).toHaveLength(2);
    await until('they are gone', () => pids.every((pid) => !existsSync(`/proc/${pid}`)), 10_000);
  });
});

test('what cannot be ended at all costs its own answer, and the look is cut off', async () => {
  await underEach(async (shell) => {
    const stuck = keep(quickMachine(shell));
    const sleep = programOf('sleep');
    const command = `setsid sh -c 'echo $$ >"$HOME/new"; mv "$HOME/new" "$HOME/left"; exec ${sleep} 60' & echo idle`;
    const seen = await stuck.look({ processNames: [], custom: { command, timeoutS: 1 } });
    process.kill(Number(readFileSync(join(stuck.home, 'left'), 'utf8')), 'SIGKILL');
    expect(seen).toMatchObject({ complete: false, custom: 'unknown', runsInFlight: 0, gpu: { kind: 'none' } });
    expect(seen.tookMs).toBeLessThan(14_000);
  });
});
