// One SSH connection to a host: its login, its sessions with a command each, and jumps to other hosts of the network.
import { connect } from 'node:net';

import type { AcceptConnection, Connection, RejectConnection, ServerChannel, Session, TcpipRequestInfo } from 'ssh2';

import type { Running } from './command.ts';
import { decide } from './login.ts';
import type { Login } from './login.ts';

/** As sshd's MaxAuthTries. */
const mostTries = 6;

export interface Serving {
  login(): Login;
  /** How many sessions a connection may have at once. */
  maxSessions(): number;
  run(command: string, channel: ServerChannel): Running | undefined;
  /** Where a host of the network listens that has this address, private or public; undefined for any other place. */
  reach(address: string, port: number): { readonly host: string; readonly port: number } | undefined;
}

export function serve(connection: Connection, host: Serving): void {
  // Clients that break off or break the rules are nobody's trouble.
  connection.on('error', () => undefined);
  /** What has to hear that the link is lost, kept here because a link lives through thousands of commands. */
  const open = new Set<() => void>();
  connection.on('close', () => {
    for (const lose of open) lose();
  });
  let tries = 0;
  connection.on('authentication', (context) => {
    if (decide(context, host.login()) === 'refused') tries += 1;
    if (tries >= mostTries) connection.end();
  });
  let sessions = 0;
  connection.on('session', (accept, reject) => {
    if (sessions >= host.maxSessions()) return reject();
    sessions += 1;
    const session = accept();
    session.on('close', () => (sessions -= 1));
    offerCommand(session, host, open);
  });
  connection.on('tcpip', (accept, reject, info) => jump({ accept, reject, info }, host, open));
}

/** A session runs one command; no shell, terminal, agent, environment or subsystem is offered. */
function offerCommand(session: Session, host: Serving, open: Set<() => void>): void {
  let running: Running | undefined;
  session.on('exec', (accept, _reject, { command }) => {
    running = host.run(command, accept());
    // A client that is gone, with or without its link, leaves the command alone.
    const lose = () => {
      open.delete(lose);
      running?.letGo();
    };
    open.add(lose);
    session.on('close', lose);
  });
  session.on('signal', (accept, _reject, { name }) => {
    running?.signal(name);
    // There is nothing to accept where the client wants no answer, as the protocol has it.
    if (typeof accept === 'function') accept();
  });
}

interface Jump {
  readonly accept: AcceptConnection<ServerChannel>;
  readonly reject: RejectConnection;
  readonly info: TcpipRequestInfo;
}

function jump({ accept, reject, info }: Jump, host: Serving, open: Set<() => void>): void {
  const place = host.reach(info.destIP, info.destPort);
  if (!place) return reject();
  const socket = connect(place);
  let channel: ServerChannel | undefined;
  const lose = () => socket.destroy();
  open.add(lose);
  socket.on('error', () => {
    if (!channel) reject();
    channel?.destroy();
  });
  socket.once('close', () => open.delete(lose));
  socket.once('connect', () => {
    channel = accept();
    channel.on('error', () => undefined);
    channel.on('close', lose);
    channel.pipe(socket).pipe(channel);
  });
}
