// The dead-man switch of a machine: it waits while a command of ours works, and takes nobody else's process for one.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assetPath } from '../../config/paths.ts';
import { until } from '../kit/until.ts';
import { FIRST_BOOT, Machine, SHELLS } from './machine.ts';

const GUARD = readFileSync(assetPath('activities', 'remote', 'guard.sh'), 'utf8');
const LIMIT_S = 2;

/** When this very process began, in the kernel's ticks. */
const ownStart = (readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1) ?? '').split(' ')[19] ?? '';

const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) {
    rmSync(join(machine.home, '.fermata', 'guard', 'pid'), { force: true });
    await machine.close();
  }
});

/** A machine with a guard, and the folder of a run whose runner is this process, or so it says. */
async function guarded(shell: string, since: string, boot: string): Promise<Machine> {
  const machine = new Machine(shell);
  machines.push(machine);
  const tools = join(machine.home, 'tools');
  const run = machine.path('run');
  for (const folder of [tools, run]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(run, 'pid'), `${process.pid} ${since}\n`);
  writeFileSync(join(run, 'digest'), `${'0'.repeat(64)} ${boot}\n`);
  const programs = { shutdown: `: >'${machine.home}/down'`, sudo: 'shift; exec "$@"' };
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(tools, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(tools, name), 0o755);
  }
  const command = `limit_s=${LIMIT_S} round_s=1\n${GUARD}`;
  const path = `${tools}:${machine.without('shutdown')}`;
  expect(await machine.run({ command, stdin: new Uint8Array() }, { PATH: path })).toMatchObject({
    code: 0,
    stderr: '',
  });
  return machine;
}

const isDown = ({ home }: Machine) => existsSync(join(home, 'down'));

test.each(SHELLS)(
  'in %s',
  async (shell) => {
    const works = await guarded(shell, ownStart, FIRST_BOOT);
    const another = await guarded(shell, String(Number(ownStart) - 1), FIRST_BOOT);
    const before = await guarded(shell, ownStart, '22222222-2222-2222-2222-222222222222');
    await until('both shut down', () => isDown(another) && isDown(before), 15_000);
    expect(isDown(works)).toBe(false);
  },
  30_000,
);
