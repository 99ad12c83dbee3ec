// A look at a run in the very moment in which its runner writes its number: it runs, and is not taken for lost.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { Machine, SHELLS } from './machine.ts';

/** Its first reader finds it empty, all later ones find the number, as a file that is written between two looks. */
const WRITER = `trap '' PIPE
echo >"$1"
for time in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do printf '%s' "$2" >"$1"; done`;

test.each(SHELLS)('in %s', async (shell) => {
  const machine = new Machine(shell);
  try {
    await machine.start({ id: 'new', command: 'sleep 60' });
    await machine.hasBegun('new');
    const [pid, kept] = [machine.path('new', 'pid'), machine.path('new', 'pid.kept')];
    const number = readFileSync(pid, 'utf8');
    renameSync(pid, kept);
    execFileSync('mkfifo', [pid]);
    const writer = spawn('sh', ['-c', WRITER, 'writer', pid, number], { stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    expect(await machine.look('new')).toMatchObject({ state: 'running', stopped: false });
    writer.kill('SIGKILL');
    await ended;
    renameSync(kept, pid);
    await machine.stop('new');
    await machine.becomes('new', 'finished');
  } finally {
    await machine.close();
  }
});
