// A job is tried again by its rules, and time limits end all of it, in dash and in bash at once.
import { readlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../kit/until.ts';
import type { JobMachine } from './job-machine.ts';
import { machinesForEachTest, UNTIL_GO } from './job-machine.ts';

const FOREVER = 'sleep 60';

const machines = machinesForEachTest();
const codesOf = async (machine: JobMachine, name: string) =>
  (await machine.ends(name)).attempts.map(({ exitCode }) => exitCode);

/** A retry runs the other command with the same variables, later, and finds nothing left of the last one. */
async function retries(machine: JobMachine): Promise<void> {
  await machine.launch({
    id: 'again',
    command: `setsid sleep 61 & sleep 61 & echo first; exit 3`,
    restartCommand: 'echo "$FERMATA_ATTEMPT $TOKEN $(cat)"; [ "$FERMATA_ATTEMPT" = 3 ]',
    secretEnv: { TOKEN: 'hunter2' },
    stdin: Buffer.from('in'),
    maxRetries: 5,
    backoffSeconds: 1,
    backoffCapSeconds: 1,
  });
  await machine.writesState('again', 'retrying');
  expect(machine.processes().filter(({ command }) => command.includes('sleep 61'))).toEqual([]);
  const ended = await machine.ends('again');
  expect(ended).toMatchObject({ state: 'completed', attempt: 3, exitCode: 0 });
  expect(ended.attempts.map(({ exitCode }) => exitCode)).toEqual([3, 1, 0]);
  expect(await machine.printed('again')).toBe('first\n2 hunter2 in\n3 hunter2 in');
  const [first, second] = ended.attempts;
  const waitedMs = Date.parse(second?.startedAt ?? '') - Date.parse(first?.endedAt ?? '');
  expect(waitedMs).toBeGreaterThanOrEqual(1_000);
}

/** No more often than allowed, never after an exit code that says so, and within the time for all attempts. */
async function rules(machine: JobMachine): Promise<void> {
  const silent = { id: 'silent', command: `echo on; ${FOREVER}`, silenceSeconds: 3, restartCommand: 'true' };
  const late = { id: 'late', command: `trap '' TERM; ${FOREVER} & ${FOREVER}`, timeoutSeconds: 1 };
  await machine.launch({ id: 'three', command: 'exit 7', maxRetries: 2 });
  await machine.launch({ id: 'never', command: 'exit 9', maxRetries: 2, noRetryExitCodes: [1, 9, 99] });
  await machine.launch({ ...silent, maxRetries: 1 });
  await machine.launch({ ...late, maxRetries: 9 });
  await machine.launch({ id: 'slow', command: 'exit 1', timeoutSeconds: 1, maxRetries: 9, backoffSeconds: 60 });
  expect(await codesOf(machine, 'three')).toEqual([7, 7, 7]);
  expect(await codesOf(machine, 'never')).toEqual([9]);
  expect(await codesOf(machine, 'silent')).toEqual([143, 0]);
  expect(await codesOf(machine, 'late')).toEqual([137]);
  expect(await codesOf(machine, 'slow')).toEqual([1]);
  expect(machine.processes().filter(({ command }) => command.includes(FOREVER))).toEqual([]);
  expect(await machine.status('never')).toMatchObject({ state: 'failed', exitCode: 9, timedOut: null });
  expect(await machine.status('silent')).toMatchObject({ state: 'completed', timedOut: null });
  expect(await machine.status('late')).toMatchObject({ state: 'failed', timedOut: 'total', exitCode: 137 });
  expect(await machine.status('slow')).toMatchObject({ state: 'failed', timedOut: 'total', attempt: 1 });
}

/** An attempt whose exit code nobody could write down has failed, and nobody invents a code. */
async function lost(machine: JobMachine): Promise<void> {
  await machine.launch({ id: 'lost', command: 'sleep 62', restartCommand: 'true', maxRetries: 1 });
  await machine.numberOf('lost', 'child');
  const runner = await machine.numberOf('lost', 'pid');
  const keepers = machine.processes().filter(({ pid, command }) => {
    return pid !== runner && command.includes('runner') && folderOf(pid) === machine.jobPath('lost', 'g1');
  });
  // What was a passing child of one of them may have ended by itself.
  for (const { pid } of keepers) killQuietly(pid);
  await machine.send('lost', 'child', 'SIGKILL');
  expect(await codesOf(machine, 'lost')).toEqual([null, 0]);
}

/** Where a process is; nowhere when it has ended meanwhile. */
function folderOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

async function heartbeats(machine: JobMachine): Promise<void> {
  await machine.launch({ id: 'live', command: UNTIL_GO });
  await machine.writesState('live', 'running');
  utimesSync(machine.jobPath('live', 'heartbeat'), 1e9, 1e9);
  await until('a heartbeat', async () => ((await machine.status('live')).heartbeatAgeSeconds ?? 1e9) < 60);
  writeFileSync(join(machine.home, 'go'), '');
  await machine.ends('live');
}

test('retries follow their rules, limits end all, exit codes are true, and heartbeats come', async () => {
  await machines.each(async (machine) => {
    await Promise.all([retries, rules, lost, heartbeats].map((check) => check(machine)));
  });
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // Not by its class, which is that of another realm here.
    if (!String(error).includes('ESRCH')) throw error;
  }
}
