// What tests of SSH that goes wrong begin with: servers, proxies and clients that are stopped after each test.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunRequest, Ssh, SshOptions } from '../../clients/ssh/index.ts';
import { openSsh } from '../../clients/ssh/index.ts';
import { startTcpProxy } from '../kit/tcp-proxy.ts';
import type { ProxyOptions, TcpProxy } from '../kit/tcp-proxy.ts';
import { startFakeServer } from './ssh-server.ts';
import type { Behaviour, FakeServer } from './ssh-server.ts';

export interface FaultBench {
  /** A folder that is removed after the tests. */
  readonly dir: string;
  open(options?: Partial<SshOptions>): Ssh;
  serve(behaviour?: Behaviour): Promise<FakeServer>;
  proxied(target: { readonly host: string; readonly port: number }, options?: ProxyOptions): Promise<TcpProxy>;
  /** The port of a TCP server that is none of SSH. */
  listen(onSocket: (socket: Socket) => void): Promise<number>;
}

/** Prepares for the tests of a file. */
export function faultBench(): FaultBench {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-ssh-faults-'));
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const stopped = <T>(started: T, stop: () => Promise<unknown>): T => {
    stops.push(stop);
    return started;
  };
  return {
    dir,
    open: (options) => {
      const ssh = openSsh(options);
      return stopped(ssh, () => ssh.close());
    },
    serve: async (behaviour) => {
      const server = await startFakeServer(dir, behaviour);
      return stopped(server, () => server.stop());
    },
    proxied: async (target, options) => {
      const proxy = await startTcpProxy(target, options);
      return stopped(proxy, () => proxy.stop());
    },
    listen: async (onSocket) => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        onSocket(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      return stopped(typeof address === 'object' && address ? address.port : 0, () => {
        for (const socket of sockets) socket.destroy();
        return new Promise((resolve) => server.close(resolve));
      });
    },
  };
}

/** A request that keeps little. */
export function requestOf(command: string, timeoutMs = 10_000): RunRequest {
  return { command, timeoutMs, capBytes: 100_000 };
}
