// Opens the HTTP server and closes it with every connection, answered or not.
import { createServer } from 'node:http';
import type { Server } from 'node:http';

import { route } from './router.ts';
import type { Controlled } from '../control/index.ts';

/** Longer than a client keeps an idle connection, so that none is closed under a request that is on its way. */
const keepAliveMs = 600_000;

export interface Listening {
  readonly port: number;
  readonly close: () => Promise<void>;
}

export async function listen(box: Controlled, host: string, port: number): Promise<Listening> {
  const server = createServer((request, response) => {
    // A client that goes away in the middle of its own request is nobody's trouble.
    response.on('error', () => undefined);
    route(request, response, box).catch(() => response.destroy());
  });
  server.keepAliveTimeout = keepAliveMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
  // Running out of sockets is trouble for the caller that gets none, not for the others.
  server.on('error', (problem) => process.stderr.write(`sandbox: ${problem.message}\n`));
  return { port: portOf(server), close: () => closed(server) };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
