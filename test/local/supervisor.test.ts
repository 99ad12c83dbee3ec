// The supervisor, with real processes: the pause grows, calm resets it, and a stop comes through at any moment.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Program } from '../../local/program.ts';
import { Supervisor } from '../../local/supervisor.ts';
import { until } from './processes.ts';

let dir: string;
let said: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fermata-supervisor-'));
  said = [];
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const say = (line: string) => said.push(line);

function program(script: string, over: Partial<Program> = {}): Program {
  return {
    name: 'part',
    command: process.execPath,
    args: ['--eval', script],
    env: process.env,
    cwd: dir,
    log: join(dir, 'part.log'),
    channel: true,
    stopSignal: 'SIGTERM',
    ready: ({ message }) => message,
    ...over,
  };
}

const pauses = () => said.flatMap((line) => /again in ([\d.]+) s/.exec(line)?.[1] ?? []);

test('each end is followed by a longer pause, up to the longest', async () => {
  const supervisor = new Supervisor(program('process.send("up"); setTimeout(() => process.exit(3), 20)'), say, {
    firstPauseMs: 20,
    longestPauseMs: 50,
  });
  expect(await supervisor.start()).toBe('up');
  await until('four ends', () => pauses().length >= 4);
  await supervisor.stop(1_000);
  expect(pauses().slice(0, 4)).toEqual(['0.02', '0.04', '0.05', '0.05']);
  expect(said[0]).toContain('part ended with code 3');
});

test('after a calm life the pause is short again', async () => {
  const script = 'process.send("up"); setTimeout(() => process.exit(3), 60)';
  const supervisor = new Supervisor(program(script), say, { firstPauseMs: 20, calmMs: 30 });
  await supervisor.start();
  await until('three ends', () => pauses().length >= 3);
  await supervisor.stop(1_000);
  expect(new Set(pauses())).toEqual(new Set(['0.02']));
});

test('one that never gets ready is given up with the end of its log', async () => {
  const supervisor = new Supervisor(program('console.error("no config"); process.exit(5)'), say, { firstPauseMs: 10 });
  await expect(supervisor.start()).rejects.toThrow(/part does not start: it ended with code 5\..*no config/s);
  expect(readFileSync(join(dir, 'part.log'), 'utf8').match(/no config/g)).toHaveLength(5);
});

test('one that is silent is given up when its time is over, and ends with the stop', async () => {
  const supervisor = new Supervisor(program('setInterval(() => 0, 1000)'), say, { startMs: 100 });
  await expect(supervisor.start()).rejects.toThrow(/was not ready in 0.1 s/);
  const { pid = 0 } = supervisor;
  await supervisor.stop(1_000);
  expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
});

test('a stop during a pause, and one during a start, come through at once', async () => {
  const dying = new Supervisor(program('process.send("up"); setTimeout(() => process.exit(3), 20)'), say, {
    firstPauseMs: 60_000,
  });
  await dying.start();
  await until('the pause', () => pauses().length === 1);
  await dying.stop(1_000);

  const silent = new Supervisor(program('setInterval(() => 0, 1000)'), say);
  const starting = silent.start();
  await silent.stop(1_000);
  await expect(starting).rejects.toThrow('part was stopped');
});

test('a program that does not exist is named', async () => {
  const supervisor = new Supervisor(program('', { command: join(dir, 'none') }), say, { firstPauseMs: 10 });
  await expect(supervisor.start()).rejects.toThrow(/part does not start: it .*ENOENT/);
});

test('one that ignores the signal is killed when its grace is over', async () => {
  const script = 'process.on("SIGTERM", () => 0); process.send("up"); setInterval(() => 0, 1000)';
  const supervisor = new Supervisor(program(script), say);
  await supervisor.start();
  const { pid = 0 } = supervisor;
  await supervisor.stop(100);
  expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
});
