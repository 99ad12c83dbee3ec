// What a look finds beside the job: its training checkpoint, notices of the cloud, memory that nobody frees, the disk.
import { chmodSync, mkdirSync, readFileSync, statfsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../kit/until.ts';
import type { JobMachine } from './job-machine.ts';
import { JOB_SCRIPTS, machinesForEachTest, statusOf, UNTIL_GO } from './job-machine.ts';

const machines = machinesForEachTest();

/** A PATH that has a program of the test before all others. */
function withProgram(machine: JobMachine, name: string, script: string): { readonly PATH: string } {
  const folder = join(machine.home, 'programs');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
  return { PATH: `${folder}:/usr/bin:/bin` };
}

const askedOf = async (machine: JobMachine, name: string) => statusOf((await machine.lookFurther(name)).job).asked;

test('a checkpoint is asked for by a signal that ends nobody, and has come when its file is new and whole', async () => {
  await machines.each(async (machine) => {
    // INT is one that a program started in the background could not hear.
    const program = `trap "echo one >>asks; until [ -e go ]; do sleep 0.05; done; echo x >ckpts/new" INT
      until [ -e end ]; do sleep 0.05; done`;
    mkdirSync(join(machine.home, 'ckpts/deep'), { recursive: true });
    writeFileSync(join(machine.home, 'ckpts/deep/old'), 'old');
    utimesSync(join(machine.home, 'ckpts/deep/old'), 1e9, 1e9);
    const job = {
      id: 'ask',
      command: `echo up; sh -c '${program}'; echo after`,
      checkpoint: { signal: 'INT', path: 'ckpts', graceSeconds: 60 },
    } as const;
    const late = 'until [ -e "$HOME/exec" ]; do sleep 0.05; done';
    await machine.launch(
      job,
      {},
      { ...JOB_SCRIPTS, runner: JOB_SCRIPTS.runner.replace(/^ *file=command$/m, `$&; ${late}`) },
    );
    // A command that has no group of its own yet cannot be asked, and is not said to have been.
    await machine.numberOf('ask', 'child');
    expect(await machine.ask('ask', 'checkpoint')).toMatchObject({ asked: null });
    writeFileSync(join(machine.home, 'exec'), '');
    await until('it is up', async () => (await machine.printed('ask')) === 'up');
    const before = await machine.lookFurther('ask');
    expect(before).toMatchObject({ checkpoint: { exists: true, bytes: 3 }, job: { state: 'running', asked: null } });
    expect(before.checkpoint?.exists && before.checkpoint.ageSeconds).toBeGreaterThan(1e6);
    expect(await machine.ask('ask', 'checkpoint')).toMatchObject({ state: 'checkpointing' });
    await machine.wrote('asks');
    // The same question again is the same question.
    expect(await machine.ask('ask', 'checkpoint')).toMatchObject({ asked: { outcome: 'pending' } });
    writeFileSync(join(machine.home, 'go'), '');
    await until('it came', async () => (await askedOf(machine, 'ask'))?.outcome === 'done');
    // The look knows it before the runner has said so.
    await until('it runs on', async () => {
      expect(await machine.lookFurther('ask')).toMatchObject({ job: { state: 'running' }, checkpoint: { bytes: 2 } });
      return true;
    });
    expect(readFileSync(join(machine.home, 'asks'), 'utf8')).toBe('one\n');
    writeFileSync(join(machine.home, 'end'), '');
    expect(await machine.ends('ask')).toMatchObject({ state: 'completed' });
    expect(await machine.printed('ask')).toBe('up\nafter');
  });
});

test('what a job leaves among the files of its log, and any time it gives its files, blinds no look', async () => {
  await machines.each(async (machine) => {
    const junk = 'cd "$FERMATA_JOB_DIR" && touch log/notes log/1 log/999999999999999 && touch -d 0001-01-01 heartbeat';
    const command = `echo one; ${junk}; echo two; ${UNTIL_GO}; echo three`;
    await machine.launch({ id: 'junk', command });
    await until('it is on', async () => (await machine.printed('junk')) === 'one\ntwo');
    expect(await machine.lookFurther('junk')).toMatchObject({ job: { state: 'running', logStart: 0 } });
    writeFileSync(join(machine.home, 'go'), '');
    expect(await machine.ends('junk')).toMatchObject({ state: 'completed' });
    expect(await machine.printed('junk')).toBe('one\ntwo\nthree');
  });
});

test('a checkpoint that a command makes is shown with what it says, and one that does not come is missed', async () => {
  await machines.each(async (machine) => {
    const command = '[ -e "$HOME/good" ] && echo "step 7 $TOKEN $FERMATA_JOB_ID"';
    const secretEnv = { TOKEN: 'hunter2' };
    await machine.launch({ id: 'said', command: UNTIL_GO, secretEnv, checkpoint: { command, graceSeconds: 60 } });
    await machine.launch({
      id: 'none',
      command: UNTIL_GO,
      checkpoint: { signal: 'WINCH', path: 'no', graceSeconds: 1 },
    });
    for (const name of ['said', 'none']) {
      await until(
        'it was asked',
        async () => statusOf(await machine.ask(name, 'checkpoint')).state === 'checkpointing',
      );
    }
    await until('it failed', async () => (await askedOf(machine, 'said'))?.outcome === 'missed');
    expect(await machine.lookFurther('said')).toMatchObject({ checkpointSaid: { exitCode: 1, text: '' } });
    writeFileSync(join(machine.home, 'good'), '');
    await machine.ask('said', 'checkpoint');
    await until('it came', async () => (await askedOf(machine, 'said'))?.outcome === 'done');
    expect(await machine.lookFurther('said')).toMatchObject({
      checkpoint: null,
      checkpointSaid: { exitCode: 0, text: 'step 7 hunter2 job-said00000000\n' },
    });
    await until('it is missed', async () => (await askedOf(machine, 'none'))?.outcome === 'missed');
    expect(await machine.lookFurther('none')).toMatchObject({ checkpoint: { exists: false } });
    writeFileSync(join(machine.home, 'go'), '');
    for (const name of ['said', 'none']) await machine.ends(name);
  });
});

test('what the cloud says is read from the file or the metadata, which is not asked at every look', async () => {
  await machines.each(async (machine) => {
    const notice = '{"action":"terminate","time":"2030-01-01T00:00:00Z"}';
    const file = join(machine.home, 'notice');
    const spot = async (env: Readonly<Record<string, string>>) => (await machine.lookFurther('any', env)).spotNotice;
    expect(await spot({ FERMATA_SPOT_NOTICE_FILE: file })).toBeNull();
    writeFileSync(file, notice);
    expect(await spot({ FERMATA_SPOT_NOTICE_FILE: file })).toBe(notice);
    mkdirSync(join(machine.home, '.fermata'));
    const curl = `echo "$*" >>"$HOME/asked"
      case "$*" in *api/token) echo token ;; *"token: token"*instance-action) echo '${notice}' ;; *) exit 22 ;; esac`;
    const env = { FERMATA_SPOT_NOTICE_FILE: '', ...withProgram(machine, 'curl', curl) };
    expect(await spot(env)).toBe(notice);
    withProgram(machine, 'curl', 'exit 28');
    expect(await spot(env)).toBe(notice);
    expect(readFileSync(join(machine.home, 'asked'), 'utf8').trim().split('\n')).toHaveLength(2);
    writeFileSync(join(machine.home, '.fermata/spot'), `1000000000\n${notice}`);
    expect(await spot(env)).toBeNull();
  });
});

test('memory of a GPU that a dead job still holds is reported, and the space on the disk', async () => {
  await machines.each(async (machine) => {
    await machine.launch({ id: 'gpu', command: `setsid sh -c 'echo "$$" >left; ${UNTIL_GO}' & ${UNTIL_GO}` });
    const left = Number(await machine.wrote('left'));
    const smi = `case $1 in
        *compute-apps*) printf '%s\\n' '4194305, 1000' '${left}, 500' '${process.pid}, 7' '-' ;;
        *memory.used*) printf '%s\\n' 1200 '[N/A]' 34 ;;
      esac`;
    const env = withProgram(machine, 'nvidia-smi', smi);
    expect(await machine.lookFurther('gpu', env)).toMatchObject({ gpuOrphans: [], gpuHeldMib: null });
    // Both are killed, so that nobody is there to end what is left.
    await machine.send('gpu', 'pid', 'SIGKILL');
    await machine.send('gpu', 'child', 'SIGKILL');
    const look = await until('it is dead', async () => {
      const seen = await machine.lookFurther('gpu', env);
      return seen.gpuHeldMib !== null && seen;
    });
    expect(look).toMatchObject({ gpuHeldMib: 1_234, job: { state: 'unknown', exitCode: 137, commandAlive: false } });
    expect(look.gpuOrphans).toEqual([
      { pid: 4_194_305, mib: 1_000, process: 'gone' },
      { pid: left, mib: 500, process: 'left' },
    ]);
    const freeBytes = statfsSync(machine.home).bavail * statfsSync(machine.home).bsize;
    expect(Math.abs((look.diskFreeBytes ?? 0) - freeBytes)).toBeLessThan(1e9);
    await machine.ask('gpu', 'cancel');
    await until('what was left is ended', () => machine.processes().length === 0);
  });
});

test('a program that hangs in the kernel, which no signal ends, hides nothing of a job', async () => {
  await machines.each(async (machine) => {
    await machine.launch({ id: 'hung', command: 'true', checkpoint: { path: 'ckpt', graceSeconds: 1 } });
    await machine.ends('hung');
    // Out of reach of whoever bounds it, and with its end of the pipe, as one is that even KILL does not end.
    const hangs = `exec setsid --fork sh -c '${UNTIL_GO}'`;
    withProgram(machine, 'find', hangs);
    const env = withProgram(machine, 'nvidia-smi', hangs);
    const begun = Date.now();
    const look = await machine.lookFurther('hung', env);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(look).toMatchObject({ job: { state: 'completed', exitCode: 0 }, checkpoint: { exists: false } });
    writeFileSync(join(machine.home, 'go'), '');
    await until('what hung is gone', () => machine.processes().length === 0);
  });
});
