// Says whether a port is free, and who holds it where that can be known.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { describeProcess } from './process-info.mjs';

const CONNECT_MS = 500;
const LISTENING = '0A';

/** Binding alone does not show a listener on all addresses on every system, so it is called as well. */
export async function isFree(port, host = '127.0.0.1') {
  const bound = await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
  return bound && !(await answers(port, isAny(host) ? '127.0.0.1' : host));
}

const isAny = (host) => host === '0.0.0.0' || host === '::';

function answers(port, host) {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: CONNECT_MS });
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/** `{ pid, command }`; undefined where the system does not tell, as with processes of other users. */
export function whoHolds(port) {
  try {
    const pid = process.platform === 'linux' ? pidFromProc(port) : pidFromLsof(port);
    const found = pid && describeProcess(pid);
    return found ? { pid, command: found.command } : undefined;
  } catch {
    return undefined;
  }
}

export function whyTaken(port) {
  const holder = whoHolds(port);
  const who = holder ? `${holder.command} (process ${holder.pid})` : 'another program';
  return `Port ${port} is taken by ${who}. Stop it, or choose another: PORT=${port + 1} npm start`;
}

function pidFromProc(port) {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTENING && fields[1].endsWith(suffix))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return Number(pids.find((pid) => holdsOneOf(pid, sockets)) ?? 0);
}

function holdsOneOf(pid, sockets) {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.includes(linkOf(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}

function linkOf(path) {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function pidFromLsof(port) {
  const out = execFileSync('lsof', ['-nP', '-t', `-iTCP:${port}`, '-sTCP:LISTEN'], { encoding: 'utf8' });
  return Number.parseInt(out, 10);
}
