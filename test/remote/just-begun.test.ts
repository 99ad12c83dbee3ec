// A look at a run in the very moment in which its runner writes its number: it runs, and is not taken for lost.
import { execFileSync, spawn } from 'node:child_process';
import { renameSync } from 'node:fs';
import { Machine, SHELLS } from './machine.ts';

/** Its first reader finds it empty, all later ones find the number, as a file that is written between two looks. */
const WRITER = 'exec 3>"$1"; mv "$2" "$1"; echo >&3';

test.each(SHELLS)('in %s', async (shell) => {
  const machine = new Machine(shell);
  try {
    await machine.start({ id: 'new', command: 'sleep 60' });
    await machine.hasBegun('new');
    const [pid, kept] = [machine.path('new', 'pid'), machine.path('new', 'pid.kept')];
    renameSync(pid, kept);
    execFileSync('mkfifo', [pid]);
    const writer = spawn('sh', ['-c', WRITER, 'writer', pid, kept], { stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    const seen = await machine.look('new');
    writer.kill('SIGKILL');
    await ended;
    expect(seen).toMatchObject({ state: 'running', stopped: false });
  } finally {
    machine.endAll();
    await machine.close();
  }
});
