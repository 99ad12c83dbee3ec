// Whoever is killed, what is said of a job is true, it never runs twice at once, and a cancel ends it for good.
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../kit/until.ts';
import type { JobMachine } from './job-machine.ts';
import { JOB_SCRIPTS, machinesForEachTest, UNTIL_GO } from './job-machine.ts';

const FOREVER = 'sleep 60';
const SECOND_BOOT = '22222222-2222-2222-2222-222222222222';

const machines = machinesForEachTest();
const home = (machine: JobMachine, name: string) => join(machine.home, name);
const forevers = (machine: JobMachine) => machine.processes().filter(({ command }) => command.includes(FOREVER));
/** Writes down each run, and leaves somebody behind who is in no group of ours. */
const witnessed = `echo "$FERMATA_GENERATION" >>"$HOME/witness"; setsid ${FOREVER} & ${FOREVER}`;

test('a command that is killed has failed; one whose runner is killed is ended before the next generation begins', async () => {
  await machines.each(async (machine) => {
    const job = { id: 'orphan', command: witnessed, restartCommand: `${witnessed} & exit 5` };
    await machine.launch(job);
    await machine.launch({ id: 'killed', command: `exec ${FOREVER}` });
    await machine.send('killed', 'child', 'SIGKILL');
    expect(await machine.ends('killed')).toMatchObject({ state: 'failed', exitCode: 137, signal: null });
    await machine.wrote('witness');
    await machine.send('orphan', 'pid', 'SIGKILL');
    utimesSync(machine.jobPath('orphan', 'heartbeat'), 0, 0);
    expect(await machine.becomesState('orphan', 'unknown')).toMatchObject({ commandAlive: true, exitCode: null });
    // Whoever looks at it keeps the machine from being taken for idle.
    expect((await machine.status('orphan')).heartbeatAgeSeconds).toBeLessThan(60);
    expect(await machine.launch(job)).toMatchObject({ state: 'unknown', launched: false });
    expect(await machine.launch({ ...job, generation: 2, resume: true })).toMatchObject({ launched: true });
    expect(await machine.ends('orphan', 2)).toMatchObject({ state: 'failed', generation: 2, exitCode: 5 });
    expect(readFileSync(home(machine, 'witness'), 'utf8')).toBe('1\n2\n');
    expect(forevers(machine)).toEqual([]);
  });
});

test('a command that ends after its runner was killed has an exit code all the same', async () => {
  await machines.each(async (machine) => {
    await machine.launch({ id: 'alone', command: `echo up; ${UNTIL_GO}; exit 4` });
    await until('it is up', async () => (await machine.printed('alone')) === 'up');
    await machine.send('alone', 'pid', 'SIGKILL');
    writeFileSync(home(machine, 'go'), '');
    await until('the end', async () => {
      const seen = await machine.status('alone');
      return seen.state === 'unknown' && !seen.commandAlive && seen.exitCode === 4;
    });
    expect((await machine.wholeLog('alone')).toString()).toMatch(/attempt 1 ended with exit code 4\n$/);
  });
});

test('a runner that is asked to end asks for a checkpoint first, waits for it, and ends all', async () => {
  await machines.each(async (machine) => {
    const program = `trap 'sleep 1; echo saved >ckpt' USR1; ${FOREVER} & while :; do sleep 0.1; done`;
    await machine.launch({
      id: 'term',
      command: `bash -c '${program.replaceAll("'", "'\\''")}'; echo unreached`,
      checkpoint: { signal: 'USR1', path: 'ckpt', graceSeconds: 30 },
      maxRetries: 3,
    });
    await until('it is up', () => forevers(machine).length > 0);
    await machine.send('term', 'pid', 'SIGTERM');
    const ended = await machine.ends('term');
    expect(ended).toMatchObject({ state: 'interrupted', signal: 'TERM', exitCode: 143, asked: { outcome: 'done' } });
    expect(readFileSync(home(machine, 'ckpt'), 'utf8')).toBe('saved\n');
    expect(await machine.printed('term')).not.toContain('unreached');
    expect(forevers(machine)).toEqual([]);
    expect(await machine.launch({ id: 'term', command: 'exit 0', generation: 2, resume: true })).toMatchObject({
      launched: true,
    });
    expect(await machine.ends('term', 2)).toMatchObject({ state: 'completed', attempt: 1 });
  });
});

test('when everybody is asked to end, as by a shutdown, it is interrupted and not failed', async () => {
  await machines.each(async (machine) => {
    await machine.launch({ id: 'down', command: `echo up; ${FOREVER}` });
    await until('it is up', async () => (await machine.printed('down')) === 'up');
    for (const { pid } of machine.processes()) process.kill(pid, 'SIGTERM');
    expect(await machine.ends('down')).toMatchObject({ state: 'interrupted', exitCode: 143, attempt: 1 });
  });
});

test('after a reboot it is interrupted and goes on as the next generation, and nothing of the old one does', async () => {
  await machines.each(async (machine) => {
    const job = { id: 'boot', command: witnessed, restartCommand: 'echo "resumed $FERMATA_GENERATION"', maxRetries: 3 };
    await machine.launch(job);
    await machine.launch({ id: 'before', command: 'exit 0' });
    await machine.ends('before');
    await machine.wrote('witness');
    // The machine of the test goes on: what a real boot ends lives, and is to be ended nevertheless.
    writeFileSync(machine.bootIdFile, `${SECOND_BOOT}\n`);
    expect(await machine.status('before')).toMatchObject({ state: 'completed', bootId: SECOND_BOOT });
    expect(await machine.status('boot')).toMatchObject({ state: 'interrupted', commandAlive: false, generation: 1 });
    expect(await machine.launch({ ...job, generation: 3 })).toMatchObject({ state: 'setup_failed' });
    const resume = { ...job, generation: 2, resume: true };
    const both = await Promise.all([machine.launch(resume), machine.launch(resume)]);
    expect(both.filter((report) => 'launched' in report && report.launched)).toHaveLength(1);
    expect(await machine.ends('boot', 2)).toMatchObject({ state: 'completed', generation: 2, exitCode: 0 });
    expect(await machine.printed('boot')).toBe('resumed 2');
    expect(readFileSync(home(machine, 'witness'), 'utf8')).toBe('1\n');
  });
});

test('a cancel ends all of a job, with its runner or without, and keeps it from ever beginning again', async () => {
  await machines.each(async (machine) => {
    const job = { id: 'cancel', command: `trap 'echo TERM >>"$HOME/terms"; exit 0' TERM; ${FOREVER} & wait` };
    const alone = { id: 'alone', command: witnessed };
    const interrupted = { id: 'between', command: FOREVER };
    await machine.launch({ ...job, maxRetries: 3 });
    await machine.launch(alone);
    await machine.launch(interrupted);
    await until('they are up', () => forevers(machine).length >= 4);
    expect(await machine.ask('cancel', 'cancel')).toMatchObject({ generation: 1 });
    await machine.send('alone', 'pid', 'SIGKILL');
    await machine.becomesState('alone', 'unknown');
    await machine.ask('alone', 'cancel');
    await machine.send('between', 'pid', 'SIGTERM');
    await machine.ends('between');
    expect(await machine.ask('between', 'cancel')).toMatchObject({ state: 'cancelled' });
    expect(await machine.ask('never', 'cancel')).toMatchObject({ state: 'cancelled', generation: 0 });
    expect(await machine.ends('cancel')).toMatchObject({ state: 'cancelled', attempt: 1 });
    await machine.becomesState('alone', 'cancelled');
    await until('nobody is left', () => forevers(machine).length === 0);
    expect(readFileSync(home(machine, 'terms'), 'utf8')).toBe('TERM\n');
    for (const one of [job, alone, interrupted, { id: 'never', command: 'touch "$HOME/began"' }]) {
      for (const generation of [1, 2]) {
        expect(await machine.launch({ ...one, generation })).toMatchObject({ state: 'cancelled', launched: false });
      }
    }
    expect(existsSync(home(machine, 'began'))).toBe(false);
  });
});

test('a command that is on its way when its job is cancelled, or launched anew, never begins', async () => {
  await machines.each(async (machine) => {
    /** The attempt of the first generation comes late: when this is there. */
    const lateBy = (mark: string) => ({
      ...JOB_SCRIPTS,
      runner: `if [ "$1" = attempt ]; then until [ -e "../${mark}" ]; do sleep 0.05; done; fi\n${JOB_SCRIPTS.runner}`,
    });
    const job = (id: string) => ({ id, command: `echo "$FERMATA_JOB_ID $FERMATA_GENERATION" >>"$HOME/witness"` });
    await machine.launch(job('early'), {}, lateBy('cancel'));
    await machine.launch(job('twice'), {}, lateBy('g2'));
    for (const name of ['early', 'twice']) await machine.writesState(name, 'running');
    await machine.ask('early', 'cancel');
    await machine.send('twice', 'pid', 'SIGKILL');
    await machine.becomesState('twice', 'unknown');
    await machine.launch({ ...job('twice'), generation: 2 });
    expect(await machine.ends('twice', 2)).toMatchObject({ state: 'completed' });
    expect(await machine.ends('early')).toMatchObject({ state: 'cancelled' });
    await until('the late one has ended', () => machine.processes().length === 0);
    expect(readFileSync(home(machine, 'witness'), 'utf8')).toBe('job-twice0000000 2\n');
  });
});

test('only what has ended long enough ago is forgotten', async () => {
  await machines.each(async (machine) => {
    await machine.launch({ id: 'live', command: UNTIL_GO });
    for (const [id, command] of Object.entries({ old: 'true', young: 'true', bad: 'false' })) {
      await machine.launch({ id, command });
      await machine.ends(id);
    }
    for (const id of ['old', 'bad', 'live']) {
      const state = machine.text(id, 'g1/state').replace(/updated \d+/, 'updated 1000000000');
      writeFileSync(machine.jobPath(id, 'g1/state'), state);
      utimesSync(machine.jobPath(id, 'heartbeat'), 1e9, 1e9);
    }
    const removed = async (success: number, other: number) => {
      const report = await machine.clean(success, other);
      return report.state === 'cleaned' && report.removed.map((id) => id.replace(/^job-|0+$/g, ''));
    };
    expect(await removed(3_600, 9e9)).toEqual(['old']);
    expect(await removed(3_600, 3_600)).toEqual(['bad']);
    expect(await machine.seen('old')).toMatchObject({ state: 'absent' });
    expect(await machine.status('live')).toMatchObject({ state: 'running' });
    writeFileSync(home(machine, 'go'), '');
    await machine.ends('live');
  });
});
