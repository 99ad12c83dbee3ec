// Limits that the machine itself keeps: time, silence, and what a command leaves behind, in dash and in bash at once.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../kit/until.ts';
import { Machine, SHELLS } from './machine.ts';

const FOREVER = 'sleep 60';

let machines: Machine[];
beforeEach(() => {
  machines = SHELLS.map((shell) => new Machine(shell));
});
afterEach(async () => {
  // One that fails must not keep the other from being cleaned up.
  const closed = await Promise.allSettled(machines.map((machine) => machine.close()));
  expect(closed.map(({ status }) => status)).toEqual(SHELLS.map(() => 'fulfilled'));
});

const inEach = (check: (machine: Machine) => Promise<void>) => Promise.all(machines.map((machine) => check(machine)));

test('limits end the whole group, by force when it does not go, also without the runner; talking is no silence', async () => {
  await inEach(async (machine) => {
    const talk = 'n=0; while [ $n -lt 8 ]; do echo "$n"; sleep 0.4; n=$((n + 1)); done';
    const flood = 'head -c 5000 /dev/zero; n=0; while [ $n -lt 8 ]; do printf x >&2; sleep 0.4; n=$((n + 1)); done';
    const deaf = async () => {
      const command = `(trap '' TERM; sleep 61) & exec ${FOREVER}`;
      const report = await machine.finished({ id: 'deaf', command, timeoutSeconds: 1 });
      return [report, machine.processes().filter((left) => left.command.includes('sleep 61'))];
    };
    const withoutRunner = async () => {
      await machine.start({ id: 'alone', command: FOREVER, timeoutSeconds: 2 });
      await machine.hasBegun('alone');
      await machine.kill('alone', 'pid');
      return until('the command is gone', async () => {
        const report = await machine.look('alone');
        return report.state === 'unknown' && !report.commandAlive && report;
      });
    };
    const [total, silence, talking, flooding, stubborn, deafReport, alone] = await Promise.all([
      machine.finished({ id: 'total', command: `${FOREVER} & ${FOREVER}`, timeoutSeconds: 1 }),
      machine.finished({ id: 'silence', command: `echo begun; ${FOREVER}`, silenceSeconds: 1, timeoutSeconds: 50 }),
      machine.finished({ id: 'talking', command: talk, silenceSeconds: 2 }),
      machine.finished({ id: 'flooding', command: flood, silenceSeconds: 2, capBytes: 1 }),
      machine.finished({ id: 'stubborn', command: `trap '' TERM; ${FOREVER} & ${FOREVER}`, timeoutSeconds: 1 }),
      deaf(),
      withoutRunner(),
    ]);
    expect(total).toMatchObject({ exitCode: 143, timedOut: 'total', stopped: false });
    expect(silence).toMatchObject({ exitCode: 143, timedOut: 'silence', stdout: 'begun\n' });
    expect(talking).toMatchObject({ exitCode: 0, timedOut: null, stdout: '0\n1\n2\n3\n4\n5\n6\n7\n' });
    expect(flooding).toMatchObject({ exitCode: 0, timedOut: null, outBytes: 5_000, errBytes: 8, stderr: 'x' });
    expect(stubborn).toMatchObject({ exitCode: 137, timedOut: 'total' });
    expect(alone).toMatchObject({ state: 'unknown', stopped: false });
    // The command itself went at once, but it has not ended while somebody of its group is left.
    expect(deafReport).toMatchObject([{ exitCode: 143, timedOut: 'total' }, []]);
    const tookMs = Date.parse(stubborn.endedAt) - Date.parse(stubborn.startedAt);
    expect(tookMs).toBeGreaterThanOrEqual(5_000);
    expect(machine.processes().filter(({ command }) => command.includes(FOREVER))).toEqual([]);
  });
});

test('a process left in the background holds up no end, and can go on printing', async () => {
  await inEach(async (machine) => {
    const wait = 'until [ -e "$HOME/go" ]; do sleep 0.05; done';
    const command = `{ ${wait}; echo late && touch "$HOME/unhurt"; } & echo early`;
    const report = await machine.finished({ id: 'orphan', command });
    expect(report).toMatchObject({ exitCode: 0, stdout: 'early\n', outBytes: 6 });
    expect(machine.processes().some(({ command: line }) => line.includes('unhurt'))).toBe(true);
    await machine.finished({ id: 'go', command: 'touch "$HOME/go"' });
    await until('it could print', () => existsSync(join(machine.home, 'unhurt')));
    await until('it was kept', () => readFileSync(machine.path('orphan', 'stdout'), 'utf8') === 'early\nlate\n');
    expect(await machine.look('orphan')).toMatchObject({ state: 'finished', outBytes: 6 });
  });
});
