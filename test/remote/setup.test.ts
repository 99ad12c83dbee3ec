// Whatever keeps a run from beginning is said, claims nothing, and is no reason against asking again.
import { existsSync, mkdirSync, readdirSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunSpec } from '../../activities/remote/exec.ts';
import { lookCommand, parseReport, startCommand } from '../../activities/remote/exec.ts';
import { remoteCall } from '../../activities/remote/wire.ts';
import { until } from '../kit/until.ts';
import { Machine, refOf, SCRIPTS, SHELLS, specOf, succeeds } from './machine.ts';

const RUN = { id: 'run', command: 'touch "$HOME/witness"' };

describe.each(SHELLS)('in %s', (shell) => {
  let machine: Machine;
  beforeEach(() => {
    machine = new Machine(shell);
  });
  afterEach(() => machine.close());

  /** Nothing is left of it, and the same request works when what hindered it is gone. */
  const refused = async (why: RegExp, run: Partial<RunSpec> = {}, env: Readonly<Record<string, string>> = {}) => {
    const { stdout } = await machine.run(startCommand(SCRIPTS, specOf({ ...RUN, ...run })), env);
    expect(parseReport(stdout.toString())).toEqual({ state: 'setup_failed', why: expect.stringMatching(why) });
    const home = env['HOME'] ?? machine.home;
    if (existsSync(home) && statSync(home).isDirectory()) expect((await machine.look(RUN.id)).state).toBe('absent');
    const stage = join(machine.home, '.fermata', 'stage');
    expect(existsSync(stage) ? readdirSync(stage) : []).toEqual([]);
    expect(existsSync(join(machine.home, 'witness'))).toBe(false);
  };

  test('a folder that is missing, or cannot be entered', async () => {
    await refused(/cannot be entered.*nowhere$/, { cwd: '/nowhere' });
    writeFileSync(join(machine.home, 'file'), '');
    await refused(/cannot be entered/, { cwd: join(machine.home, 'file') });
    expect(await machine.finished(RUN)).toMatchObject({ exitCode: 0 });
  });

  test('no home, a home that cannot be written to, or no boot id', async () => {
    writeFileSync(join(machine.home, 'file'), '');
    await refused(/no home folder/, {}, { HOME: '' });
    await refused(/\S/, {}, { HOME: join(machine.home, 'file') });
    await refused(/\S/, {}, { HOME: '/proc' });
    const call = startCommand(SCRIPTS, specOf(RUN));
    const { stdout } = await machine.run(call, { FERMATA_BOOT_ID_FILE: '/nowhere' });
    expect(stdout.toString()).toMatch(/^fermata 1\nstate setup_failed\n/);
    expect((await machine.look(RUN.id)).state).toBe('absent');
  });

  test('a program that is missing, and a variable that the shell keeps for itself', async () => {
    await refused(/^mkfifo is missing/, {}, { PATH: machine.without('mkfifo') });
    if (shell === 'bash') await refused(/variable/, { env: { BASHOPTS: 'x' } });
    else expect(await machine.finished({ ...RUN, env: { BASHOPTS: 'x' } })).toMatchObject({ state: 'finished' });
  });

  test('a connection that is cut anywhere before the end', async () => {
    const stdin = Buffer.from('x'.repeat(1_000));
    const call = startCommand(SCRIPTS, specOf({ ...RUN, stdin }));
    for (const bytes of [0, 1, 100, call.stdin.length - 1_001, call.stdin.length - 1_000, call.stdin.length - 1]) {
      const report = await machine.report({ ...call, stdin: call.stdin.subarray(0, bytes) });
      expect(report).toEqual({ state: 'setup_failed', why: expect.stringMatching(/cut short|not base64/) });
      expect((await machine.look(RUN.id)).state).toBe('absent');
    }
    expect(await machine.report(call)).toMatchObject({ state: 'running', launched: true });
    await machine.becomes(RUN.id, 'finished');
  });

  test('an id that is no name, a digest that is none, and arguments that nobody knows', async () => {
    const { digest } = refOf('run');
    const refusals: [readonly (readonly [string, string])[], RegExp][] = [
      [
        [
          ['id', '../run'],
          ['digest', digest],
        ],
        /id/,
      ],
      [
        [
          ['id', '-run'],
          ['digest', digest],
        ],
        /id/,
      ],
      [
        [
          ['id', 'a\nb'],
          ['digest', digest],
        ],
        /id/,
      ],
      [
        [
          ['id', 'a'.repeat(64)],
          ['digest', digest],
        ],
        /id/,
      ],
      [[['digest', digest]], /id/],
      [[['id', 'run']], /digest/],
      [
        [
          ['id', 'run'],
          ['digest', `${digest}0`],
        ],
        /digest/,
      ],
      [
        [
          ['id', 'run'],
          ['digest', digest.replace(/./, '*')],
        ],
        /digest/,
      ],
      [
        [
          ['id', 'run'],
          ['digest', digest],
          ['head_bytes', '-1'],
        ],
        /head_bytes/,
      ],
      [
        [
          ['id', 'run'],
          ['digest', digest],
          ['keep_s', '1'],
        ],
        /keep_s/,
      ],
      [
        [
          ['id', 'run'],
          ['digest', digest],
          ['HOME', '/'],
        ],
        /HOME/,
      ],
      [
        [
          ['id', 'run'],
          ['digest', digest],
          ['command', 'true'],
        ],
        /command/,
      ],
    ];
    for (const [args, why] of refusals) {
      const report = await machine.report(remoteCall(SCRIPTS.exec, 'look', args));
      expect(report).toEqual({ state: 'setup_failed', why: expect.stringMatching(why) });
    }
    const bare = await machine.report(remoteCall(SCRIPTS.exec, 'nothing', []));
    expect(bare).toMatchObject({ state: 'setup_failed' });
  });
});

test('a full disk: nothing begins on it, and a command that fills it does not lose its result', async () => {
  const machine = new Machine('dash');
  const disk = join(machine.home, 'disk');
  mkdirSync(disk);
  const mounted = succeeds('mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk);
  try {
    if (!mounted) {
      process.stdout.write('skipped: only root can mount a small disk\n');
      return;
    }
    const env = { HOME: disk };
    const start = (id: string, command: string, stdin = 0) =>
      machine.report(startCommand(SCRIPTS, specOf({ id, command, stdin: Buffer.alloc(stdin) })), env);
    const look = (id: string) => machine.report(lookCommand(SCRIPTS, { ...refOf(id), headBytes: 10 }), env);
    expect(await start('large', 'true', 1_000_000)).toMatchObject({ state: 'setup_failed', why: /space/ });
    expect(await look('large')).toMatchObject({ state: 'absent' });
    expect(await start('filling', 'cat /dev/zero >"$HOME/fill"; echo lost; exit 5')).toMatchObject({
      state: 'running',
    });
    const end = await until('the end', async () => {
      const report = await look('filling');
      return report.state === 'finished' && report;
    });
    expect(end).toMatchObject({ exitCode: 5, outBytes: 5 });
    expect(statfsSync(disk).bavail).toBeLessThan(4);
    expect(await start('small', 'true')).toMatchObject({ state: 'setup_failed' });
    expect(await look('small')).toMatchObject({ state: 'absent' });
  } finally {
    if (mounted) succeeds('umount', '-l', disk);
    await machine.close();
  }
});
