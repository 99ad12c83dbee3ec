// A run happens once and is never lost sight of, whoever is killed; a stop ends it, or keeps it from ever beginning.
import { appendFileSync, copyFileSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanCommand, lookCommand, parseCleaned, startCommand, stopCommand } from '../../activities/remote/exec.ts';
import { until } from '../kit/until.ts';
import { Machine, SCRIPTS, sha256, SHELLS, specOf } from './machine.ts';

const FOREVER = 'sleep 60';

describe.each(SHELLS)('in %s', (shell) => {
  let machine: Machine;
  beforeEach(() => {
    machine = new Machine(shell);
  });
  afterEach(() => machine.close());

  const home = (name: string) => join(machine.home, name);
  const clean = async (keepSeconds: number) => {
    const { stdout, stderr } = await machine.run(cleanCommand(SCRIPTS, keepSeconds));
    expect(stderr).toBe('');
    return parseCleaned(stdout.toString());
  };

  test('twenty starts at the same time are one run', async () => {
    const start = { id: 'many', command: 'echo "$$" >>"$HOME/witness"; until [ -e "$HOME/go" ]; do sleep 0.05; done' };
    const reports = await Promise.all(Array.from({ length: 20 }, () => machine.start(start)));
    expect(new Set(reports.map(({ state }) => state))).toEqual(new Set(['running']));
    expect(reports.filter((report) => 'launched' in report && report.launched)).toHaveLength(1);
    writeFileSync(home('go'), '');
    await machine.becomes('many', 'finished');
    expect(await machine.start(start)).toMatchObject({ state: 'finished', launched: false });
    expect(readFileSync(home('witness'), 'utf8')).toMatch(/^\d+\n$/);
    expect(
      readdirSync(machine.path('many')).filter((name) => statSync(machine.path('many', name)).isDirectory()),
    ).toEqual([]);
    expect(readdirSync(home('.fermata/stage'))).toEqual([]);
  });

  test('another request under the same id is refused by each mode, and starts and stops nothing', async () => {
    await machine.start({ id: 'taken', command: FOREVER });
    const ref = { id: 'taken', digest: sha256('another') };
    const calls = [
      startCommand(SCRIPTS, { ...specOf({ id: 'taken', command: 'touch "$HOME/witness"' }), ...ref }),
      lookCommand(SCRIPTS, { ...ref, headBytes: 0 }),
      stopCommand(SCRIPTS, ref),
    ];
    for (const call of calls) expect((await machine.report(call)).state).toBe('mismatch');
    expect(existsSync(home('witness'))).toBe(false);
    expect(await machine.look('taken')).toMatchObject({ state: 'running', stopped: false });
    await machine.stop('taken');
    await machine.becomes('taken', 'finished');
  });

  test('nobody waits for a long command: the start answers at once, and closes what it was started with', async () => {
    const begun = Date.now();
    await machine.start({ id: 'long', command: FOREVER });
    expect(Date.now() - begun).toBeLessThan(10_000);
    expect((await machine.look('long')).state).toBe('running');
    await machine.stop('long');
    await machine.becomes('long', 'finished');
  });

  test('a command that is killed has finished; with its runner killed it is unknown, and can still be stopped', async () => {
    // Its name looks like the end of a zombie's, for whoever reads only up to the first parenthesis.
    copyFileSync('/usr/bin/sleep', home('a) Z 1 (b'));
    const command = 'exec "$HOME/a) Z 1 (b" 60';
    await Promise.all(['command', 'runner'].map((id) => machine.start({ id, command })));
    await machine.kill('command', 'child');
    expect(await machine.becomes('command', 'finished')).toMatchObject({
      exitCode: 137,
      timedOut: null,
      stopped: false,
    });
    await machine.hasBegun('runner');
    await machine.kill('runner', 'pid');
    expect(await machine.becomes('runner', 'unknown')).toMatchObject({ commandAlive: true });
    expect(await machine.start({ id: 'runner', command })).toMatchObject({
      state: 'unknown',
      launched: false,
    });
    await machine.stop('runner');
    await until('the command is gone', async () => {
      const report = await machine.look('runner');
      return report.state === 'unknown' && !report.commandAlive && report.stopped;
    });
  });

  test('a claim without a runner is running for a moment, then unknown', async () => {
    const spec = specOf({ id: 'lost', command: 'touch "$HOME/witness"' });
    const first = await machine.report(startCommand({ ...SCRIPTS, runner: 'exit 0' }, spec));
    expect(first).toMatchObject({ state: 'running', launched: true });
    const [owner = '', uptime = ''] = readFileSync(machine.path('lost', 'claim'), 'utf8').split(' ');
    writeFileSync(machine.path('lost', 'claim'), `${owner} ${Number(uptime) - 500}\n`);
    expect(await machine.look('lost')).toMatchObject({ state: 'unknown', commandAlive: false });
    expect(await machine.start({ id: 'lost', command: spec.command })).toMatchObject({ state: 'unknown' });
    expect(existsSync(home('witness'))).toBe(false);
  });

  test('a process with the number of the runner, but started at another time, is not the runner', async () => {
    await machine.start({ id: 'other', command: FOREVER });
    const other = await machine.hasBegun('other');
    const spec = specOf({ id: 'reused', command: FOREVER });
    await machine.report(startCommand({ ...SCRIPTS, runner: 'exit 0' }, spec));
    for (const name of ['pid', 'child']) writeFileSync(machine.path('reused', name), `${other} 1\n`);
    expect(await machine.look('reused')).toMatchObject({ state: 'unknown', commandAlive: false });
    expect(await machine.stop('reused')).toMatchObject({ state: 'unknown', stopped: true });
    expect((await machine.look('other')).state).toBe('running');
    await machine.stop('other');
    expect(await machine.becomes('other', 'finished')).toMatchObject({ stopped: true });
  });

  test('after a reboot a run is interrupted, unless it had finished; a stop then touches nothing', async () => {
    await machine.finished({ id: 'before', command: 'exit 4' });
    await machine.start({ id: 'during', command: FOREVER });
    await machine.hasBegun('during');
    const second = '22222222-2222-2222-2222-222222222222';
    writeFileSync(machine.bootIdFile, `${second}\n`);
    expect(await machine.look('before')).toMatchObject({ state: 'finished', exitCode: 4, bootId: second });
    expect(await machine.look('during')).toMatchObject({ state: 'interrupted', bootId: second });
    expect((await machine.stop('during')).state).toBe('interrupted');
    expect(existsSync(machine.path('during', 'stopped'))).toBe(false);
    await machine.kill('during', 'child');
    await until('the runner has written the end', () => existsSync(machine.path('during', 'exit')));
  });

  test('a stop ends the whole group, and is the same when it is repeated', async () => {
    const command = `trap 'echo TERM >>"$HOME/terms"; exit 9' TERM; ${FOREVER} & echo up; while :; do sleep 0.1; done`;
    await machine.start({ id: 'stop', command });
    await until('it is up', async () => {
      const report = await machine.look('stop');
      return report.state === 'running' && report.stdout === 'up\n';
    });
    const states = await Promise.all([machine.stop('stop'), machine.stop('stop')]);
    for (const { state } of states) expect(['running', 'finished']).toContain(state);
    expect(await machine.becomes('stop', 'finished')).toMatchObject({ exitCode: 9, stopped: true, timedOut: null });
    expect(machine.processes().filter(({ command: line }) => line.includes(FOREVER))).toEqual([]);
    expect(await machine.stop('stop')).toEqual(await machine.look('stop', 0));
    expect(readFileSync(home('terms'), 'utf8')).toMatch(/^TERM\n/);
  });

  test('a stop that comes before the start keeps it from ever beginning', async () => {
    expect(await machine.look('early')).toMatchObject({ state: 'absent' });
    expect(await machine.stop('early')).toMatchObject({ state: 'withdrawn' });
    const start = { id: 'early', command: 'touch "$HOME/witness"' };
    expect(await machine.start(start)).toMatchObject({ state: 'withdrawn', launched: false });
    expect(await machine.look('early')).toMatchObject({ state: 'withdrawn' });
    expect(existsSync(home('witness'))).toBe(false);
  });

  test('a stop that comes before the runner has begun the command ends it', async () => {
    const slow = `until [ -e "$2/stopped" ]; do sleep 0.05; done\n${SCRIPTS.runner}`;
    await machine.report(startCommand({ ...SCRIPTS, runner: slow }, specOf({ id: 'slow', command: FOREVER })));
    expect(await machine.stop('slow')).toMatchObject({ state: 'running', stopped: true });
    expect(await machine.becomes('slow', 'finished')).toMatchObject({ stopped: true, exitCode: 143 });
  });

  test('a start and a stop at the same time leave nothing running', async () => {
    const ids = Array.from({ length: 6 }, (_, index) => `race-${index}`);
    await Promise.all(ids.flatMap((id) => [machine.start({ id, command: FOREVER }), machine.stop(id)]));
    for (const id of ids) {
      const end = await until(id, async () => {
        const report = await machine.look(id);
        return (report.state === 'finished' || report.state === 'withdrawn') && report;
      });
      if (end.state === 'finished') expect(end).toMatchObject({ stopped: true, exitCode: 143 });
    }
  });

  test('only what has ended long enough ago is forgotten', async () => {
    await machine.finished({ id: 'old', command: 'true' });
    await machine.finished({ id: 'young', command: 'true' });
    await machine.stop('gone');
    await machine.start({ id: 'live', command: FOREVER });
    const exit = readFileSync(machine.path('old', 'exit'), 'utf8');
    writeFileSync(machine.path('old', 'exit'), exit.replace(/ended \d+/, 'ended 1000000000'));
    writeFileSync(machine.path('live', 'started'), '1000000000\n');
    appendFileSync(home('.fermata/runs/stray'), '');
    expect(await clean(3_600)).toEqual({ state: 'cleaned', removed: ['old'] });
    expect((await machine.look('old')).state).toBe('absent');
    expect((await machine.look('young')).state).toBe('finished');
    expect((await machine.look('gone')).state).toBe('withdrawn');
    expect((await machine.look('live')).state).toBe('running');
    writeFileSync(machine.bootIdFile, 'another\n');
    expect(await clean(3_600)).toEqual({ state: 'cleaned', removed: ['live'] });
    machine.endAll();
  });
});
