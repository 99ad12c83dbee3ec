// A job on a machine: launched once whoever asks, with all that was asked for, and its log kept and followed.
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobReport } from '../../activities/remote/job-report.ts';
import { until } from '../kit/until.ts';
import { JobMachine, statusOf, UNTIL_GO } from './job-machine.ts';
import { FIRST_BOOT, SHELLS } from './machine.ts';

describe.each(SHELLS)('in %s', (shell) => {
  let machine: JobMachine;
  beforeEach(() => {
    machine = new JobMachine(shell);
  });
  afterEach(() => machine.close());
  const home = (name: string) => join(machine.home, name);

  test('the command gets what was asked for, and the answer says what it did', async () => {
    mkdirSync(home('work'));
    mkdirSync(home('.fermata/env'), { recursive: true });
    writeFileSync(home('.fermata/env/ready'), "export READY='by a step'\n");
    const nasty = ` '"\\ $(touch pwned) \`touch pwned\` *\n\nend `;
    const begun = await machine.launch({
      id: 'all',
      command:
        'cat; pwd; printf "%s|%s|%s|" "$ONE" "$TWO" "$READY" >&2; umask; trap >"$HOME/traps"; ' +
        'echo "$FERMATA_JOB_ID $FERMATA_ATTEMPT $FERMATA_GENERATION $FERMATA_JOB_DIR"',
      cwd: home('work'),
      env: { ONE: nasty, IFS: 'a', generation: '7', text: 'x' },
      secretEnv: { TWO: nasty },
      stdin: Buffer.from('from stdin\n'),
    });
    expect(begun).toMatchObject({ launched: true, generation: 1, bootId: FIRST_BOOT });
    const ended = await machine.ends('all');
    const attempt = { generation: 1, attempt: 1, exitCode: 0 };
    expect(ended).toMatchObject({ state: 'completed', launched: false, exitCode: 0, attempt: 1, attempts: [attempt] });
    expect(ended).toMatchObject({ timedOut: null, signal: null, asked: null, commandAlive: false, logStart: 0 });
    const log = (await machine.wholeLog('all')).toString();
    const masks = '0022\n';
    expect(log.split('\n').slice(1, 3)).toEqual(['from stdin', home('work')]);
    expect(log).toContain(
      `${nasty}|${nasty}|by a step|${masks}job-all000000000 1 1 ${machine.jobPath('all').slice(0, -1)}`,
    );
    expect(log).toMatch(/^\[fermata\] \S+Z generation 1, attempt 1 begins\n/);
    expect(log).toMatch(/\n\[fermata\] \S+Z generation 1, attempt 1 ended with exit code 0\n$/);
    expect(ended.logSize).toBe(Buffer.byteLength(log));
    expect(readdirSync(home('work'))).toEqual([]);
    // What is ignored when a command begins, no shell and no Python would ever hear.
    expect(readFileSync(home('traps'), 'utf8')).not.toContain("''");
    const left = readdirSync(machine.jobPath('all', 'g1'));
    expect(left.filter((name) => ['secret', 'stdin'].includes(name))).toEqual([]);
    expect(left).toContain('env');
    for (const path of ['', 'g1', 'log']) expect(statSync(machine.jobPath('all', path)).mode & 0o777).toBe(0o700);
    expect(statSync(machine.jobPath('all', 'g1', 'state')).mode & 0o777).toBe(0o600);
    expect(readdirSync(home('.fermata/stage'))).toEqual([]);
  });

  test('ten launches at once are one run, of each generation, and none of them waits for it', async () => {
    const job = { id: 'many', command: `echo "$FERMATA_GENERATION" >>"$HOME/witness"; ${UNTIL_GO}` };
    const launches = (generation: number) =>
      machine.launchTogether(Array.from({ length: 10 }, () => ({ ...job, generation })));
    const launched = (reports: readonly JobReport[]) => reports.filter((report) => statusOf(report).launched).length;
    expect(launched(await launches(1))).toBe(1);
    await machine.wrote('witness');
    expect(await machine.launch({ ...job, generation: 2 })).toMatchObject({ state: 'busy', generation: 1 });
    writeFileSync(home('go'), '');
    await machine.ends('many');
    expect(await machine.launch(job)).toMatchObject({ state: 'completed', launched: false });
    expect(launched(await launches(2))).toBe(1);
    expect(await machine.ends('many', 2)).toMatchObject({ state: 'completed', generation: 2 });
    expect(await machine.launch(job)).toMatchObject({ state: 'superseded', generation: 2 });
    expect(readFileSync(home('witness'), 'utf8')).toBe('1\n2\n');
    expect(readdirSync(machine.jobPath('many')).sort()).toEqual(['digest', 'g1', 'g2', 'heartbeat', 'log']);
    expect(readdirSync(machine.jobPath('many', 'g2'))).not.toContain('g2');
    expect(readdirSync(home('.fermata/stage'))).toEqual([]);
    expect((await machine.status('many')).attempts).toMatchObject([{ generation: 1 }, { generation: 2 }]);
  });

  test('the log is followed by offset while its files come and go, byte for byte', async () => {
    const script =
      'n=0; while [ $n -lt 600 ]; do echo "line $n éé $(printf %080d $n)"; n=$((n + 1)); [ $((n % 20)) -gt 0 ] || sleep 0.05; done';
    await machine.launch({ id: 'log', command: script, logCapBytes: 8_192 });
    const pieces: Uint8Array[] = [];
    let offset = 0;
    await until('all of the log', async () => {
      for (;;) {
        const piece = await machine.log('log', offset, 3_000);
        if (!piece) throw new Error('there is no job');
        expect(piece.offset).toBe(offset);
        expect(piece.bytes.length).toBeLessThanOrEqual(3_000);
        pieces.push(piece.bytes);
        offset = piece.nextOffset;
        if (piece.bytes.length === 0) break;
      }
      return Buffer.concat(pieces).includes('ended with exit code 0\n');
    });
    const lines = Array.from({ length: 600 }, (_, n) => `line ${n} éé ${String(n).padStart(80, '0')}`);
    const all = Buffer.concat(pieces).toString();
    expect(all.split('\n').slice(1, 601)).toEqual(lines);
    const ended = await machine.ends('log');
    expect(ended.logSize).toBe(Buffer.byteLength(all));
    const files = readdirSync(machine.jobPath('log', 'log'));
    expect(files.length).toBeLessThanOrEqual(9);
    for (const file of files) expect(statSync(machine.jobPath('log', 'log', file)).size).toBeLessThanOrEqual(8_192);
    const { logTail } = await machine.lookFurther('log');
    expect(Buffer.from(all).toString('utf8').endsWith(logTail)).toBe(true);
    expect(await machine.log('log', 1e14)).toMatchObject({ offset: 1e14, nextOffset: 1e14 });
  });

  test('of a flood the last nine files are kept, and what is asked for before them begins with them', async () => {
    await machine.launch({ id: 'flood', command: 'head -c 3000000 /dev/zero | tr "\\0" x', logCapBytes: 65_536 });
    const ended = await machine.ends('flood');
    expect(ended.logSize).toBeGreaterThan(3_000_000);
    expect(ended.logSize - ended.logStart).toBeGreaterThan(8 * 65_000);
    expect(readdirSync(machine.jobPath('flood', 'log'))).toHaveLength(9);
    expect(await machine.log('flood', 0, 10)).toMatchObject({
      offset: ended.logStart,
      nextOffset: ended.logStart + 10,
    });
    expect((await machine.wholeLog('flood')).length).toBe(ended.logSize - ended.logStart);
    expect(await machine.log('none', 0)).toBeNull();
  });
});
