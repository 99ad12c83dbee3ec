// A command on a machine gets exactly what was asked for, and its report says exactly what it did, in dash and in bash.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCommand } from '../../activities/remote/exec.ts';
import { until } from '../kit/until.ts';
import { FIRST_BOOT, Machine, SCRIPTS, SHELLS, specOf } from './machine.ts';

/** Whatever a shell, a header of lines or an encoding could trip over. */
const NASTY = ` -n '"\\ $(touch pwned) \`touch pwned\` $HOME *\n\nstate finished\nend ; é 漢 🎵 %s &&\t\n\n`;

describe.each(SHELLS)('in %s', (shell) => {
  let machine: Machine;
  beforeEach(() => {
    machine = new Machine(shell);
  });
  afterEach(() => machine.close());

  test('stdin, variables and folder come through; streams and the exit code come back', async () => {
    mkdirSync(join(machine.home, 'work'));
    const report = await machine.finished({
      id: 'run-1',
      command: 'cat; pwd; echo "$ONE" "$TWO" >&2; exit 3',
      cwd: join(machine.home, 'work'),
      env: { ONE: '1' },
      secretEnv: { TWO: '2' },
      stdin: Buffer.from('from stdin\n'),
    });
    const stdout = `from stdin\n${join(machine.home, 'work')}\n`;
    expect(report).toEqual({
      state: 'finished',
      launched: false,
      bootId: FIRST_BOOT,
      exitCode: 3,
      startedAt: expect.any(String),
      endedAt: expect.any(String),
      timedOut: null,
      stopped: false,
      stdout,
      stderr: '1 2\n',
      outBytes: stdout.length,
      errBytes: 4,
      truncated: false,
    });
    for (const at of [report.startedAt, report.endedAt]) {
      expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
    }
    expect(statSync(machine.path('run-1')).mode & 0o777).toBe(0o700);
    expect(readdirSync(machine.path('run-1'))).not.toEqual(expect.arrayContaining(['stdin']));
    expect(readdirSync(join(machine.home, '.fermata', 'stage'))).toEqual([]);
  });

  test('every end has its exit code', async () => {
    const ends: [string, number][] = [
      ['true', 0],
      ['exit 255', 255],
      ['kill -KILL $$', 137],
      ['kill -TERM $$', 143],
      ['no-such-program', 127],
    ];
    const codes = await Promise.all(
      ends.map(async ([command], index) => (await machine.finished({ id: `end-${index}`, command })).exitCode),
    );
    expect(codes).toEqual(ends.map(([, code]) => code));
  });

  test('metacharacters are only characters, wherever they stand', async () => {
    const cwd = join(machine.home, NASTY.replaceAll('/', '-'));
    mkdirSync(cwd);
    const command = `printf '%s|%s|%s|' "$PLAIN" "$SECRET" "$PWD"; cat; printf %s '${NASTY.replaceAll("'", '')}'`;
    const report = await machine.finished({
      id: 'nasty',
      command,
      cwd,
      env: { PLAIN: NASTY, command: 'exit 1', dir: '/', IFS: 'a' },
      secretEnv: { SECRET: NASTY },
      stdin: Buffer.from(NASTY),
    });
    expect(report.stdout).toBe(`${NASTY}|${NASTY}|${cwd}|${NASTY}${NASTY.replaceAll("'", '')}`);
    expect(report).toMatchObject({ exitCode: 0, stderr: '' });
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('a command that begins with a dash is no option, and one of 8192 bytes is not too long', async () => {
    const dash = await machine.finished({ id: 'dash', command: '-x; echo went on' });
    expect(dash).toMatchObject({ exitCode: 0, stdout: 'went on\n' });
    const long = `${' '.repeat(8_184)}echo ok;`;
    expect(await machine.finished({ id: 'long', command: long })).toMatchObject({ exitCode: 0, stdout: 'ok\n' });
  });

  test('bytes that are no text go in and out as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 4_096 }, (_, index) => index % 256));
    await machine.finished({ id: 'bytes', command: 'cat', stdin: bytes });
    expect(readFileSync(machine.path('bytes', 'stdout'))).toEqual(bytes);
  });

  test('a secret is in no list of processes, and on the disk only until the command starts', async () => {
    const secret = 'hunter2-hunter2';
    const command = 'echo "${#PASSWORD}" >"$HOME/length"; until [ -e "$HOME/go" ]; do sleep 0.05; done';
    await machine.start({ id: 'secret', command, secretEnv: { PASSWORD: secret } });
    const length = await until('the command runs', () => readFileSync(join(machine.home, 'length'), 'utf8').trim());
    expect(Number(length)).toBe(secret.length);
    const seen = machine.processes().map(({ command: line }) => line);
    expect(seen.some((line) => line.includes('PASSWORD'))).toBe(true);
    expect(seen.filter((line) => line.includes(secret))).toEqual([]);
    const files = readdirSync(machine.home, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    const holding = files.filter((file) => readFileSync(join(file.parentPath, file.name), 'utf8').includes(secret));
    expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['env', 'command']));
    expect(holding.map(({ name }) => name)).toEqual([]);
    writeFileSync(join(machine.home, 'go'), '');
    await machine.becomes('secret', 'finished');
  });

  test('of a flood only the beginning is kept, all of it is counted, and the command never blocks', async () => {
    const report = await machine.finished({
      id: 'flood',
      command: 'head -c 100000000 /dev/zero | tr "\\0" x; echo "${PIPESTATUS[*]}" >&2',
      capBytes: 1_000,
    });
    expect(report).toMatchObject({ exitCode: 0, outBytes: 100_000_000, truncated: true, stderr: '0 0\n' });
    expect(report.stdout).toBe('x'.repeat(1_000));
    expect(statSync(machine.path('flood', 'stdout')).size).toBeLessThan(2_048);
  });

  test('output is there while the command runs; a character that the head cuts through is left out', async () => {
    await machine.start({ id: 'live', command: 'printf éé; until [ -e "$HOME/go" ]; do sleep 0.05; done' });
    const report = await until('output', async () => {
      const seen = await machine.look('live', 3);
      return seen.state === 'running' && seen.outBytes > 0 && seen;
    });
    expect(report).toMatchObject({ stdout: 'é', outBytes: 4, truncated: true });
    writeFileSync(join(machine.home, 'go'), '');
    expect(await machine.becomes('live', 'finished')).toMatchObject({ stdout: 'éé', truncated: false });
  });

  test('what a login prints first does no harm', async () => {
    const call = startCommand(SCRIPTS, specOf({ id: 'noisy', command: 'echo hi' }));
    const noisy = { ...call, command: `echo 'Welcome!'; printf 'no newline\\n\\n'; ${call.command}` };
    expect(await machine.report(noisy)).toMatchObject({ state: 'running', launched: true });
    await machine.becomes('noisy', 'finished');
  });
});

test('without bash it is sh that runs the command', async () => {
  const machine = new Machine('dash');
  try {
    const call = startCommand(SCRIPTS, specOf({ id: 'plain', command: 'echo "${BASH_VERSION:-none}"' }));
    await machine.report(call, { PATH: machine.without('bash') });
    expect(await machine.becomes('plain', 'finished')).toMatchObject({ exitCode: 0, stdout: 'none\n' });
  } finally {
    await machine.close();
  }
});
