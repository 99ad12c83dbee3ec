// Runs commands that end with us: with their output in a log file, or with their output in the answer.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeProcess } from './process-info.mjs';
import { Refusal, root } from './settings.mjs';

const GRACE_MS = 3_000;
const PARENT_MS = 250;
const running = new Set();
let interrupted = false;

/** Rejects with the end of the log when it fails. `onSpawn` gets the child, for a lock that must last as long as it. */
export async function runLogged(command, args, { cwd, env, log, onSpawn }) {
  mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
  const out = openSync(log, 'w', 0o600);
  try {
    const ended = await run(command, args, { cwd, env, stdio: ['ignore', out, out] }, onSpawn);
    if (ended !== 0) throw new CommandFailed(`${command} ended with ${ended}. The end of ${log}:\n${tail(log)}`);
  } finally {
    closeSync(out);
  }
}

/** Answers `{ ended, output }`, whether it fails or not. */
export async function runCaptured(command, args, { cwd, env }) {
  let output = '';
  const ended = await run(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }, undefined, (child) => {
    const keep = (text) => (output += text);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep);
  });
  return { ended, output: output.trim() };
}

/** Runs a script of ours in the foreground and answers its exit code; it is told of signals and given time for them. */
export function runForeground(args, { env, onSignal }) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  // At a terminal, Ctrl-C reaches the child by itself.
  onSignal((signal) => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

class CommandFailed extends Refusal {
  /** The command did not fail by itself. */
  interrupted = interrupted;
}

function run(command, args, options, onSpawn, attach) {
  return new Promise((resolve, reject) => {
    // A group of its own can be ended whole: installers and compilers start many processes.
    const child = spawn(command, args, { ...options, detached: process.platform !== 'win32', windowsHide: true });
    attach?.(child);
    child.once('error', reject);
    child.once('spawn', () => {
      running.add(child);
      onSpawn?.({ pid: child.pid, started: describeProcess(child.pid)?.started });
    });
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal);
    });
  });
}

/** What was begun is told to end, and then so do we: preparation goes on where it was at the next start. */
export function endCommands(signal) {
  if (interrupted) return;
  interrupted = true;
  console.error('Interrupted: the next start goes on from here.');
  const exit = () => process.exit(signal === 'SIGINT' ? 130 : 143);
  if (running.size === 0) exit();
  setTimeout(() => {
    for (const child of running) endGroup(child, 'SIGKILL');
    exit();
  }, GRACE_MS);
  for (const child of running) {
    child.once('close', () => setImmediate(() => running.size === 0 && exit()));
    endGroup(child, 'SIGTERM');
  }
}

/** Answers a function that changes what is done from then on. There is no moment in which a signal is lost. */
export function onSignals(action) {
  let current = action;
  // Without a terminal nobody hangs up, and a handler would undo what `nohup` did.
  const hangUp = process.stdin.isTTY || process.stdout.isTTY ? ['SIGHUP'] : [];
  for (const signal of ['SIGINT', 'SIGTERM', ...hangUp]) process.on(signal, () => current(signal));
  if (process.env.npm_lifecycle_event) onParentsEnd(() => current('SIGTERM'));
  return (next) => (current = next);
}

/** npm hands a signal to the shell that it runs us by, and that shell ends without handing it on. */
function onParentsEnd(action) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    action();
  }, PARENT_MS);
  watch.unref();
}

function endGroup(child, signal) {
  try {
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function tail(log, lines = 15) {
  const text = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines);
  return text.map((line) => `    ${line.slice(0, 300)}`).join('\n');
}
