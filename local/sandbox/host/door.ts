// Where a host listens: opens and closes its address, and keeps hold of every connection to cut, freeze or ignore it.
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/** What a host does with those who come: `freeze` also stops reading and writing on the links there are. */
export const doorModes = ['ok', 'refuse', 'hang', 'freeze', 'banner_only'] as const;
export type DoorMode = (typeof doorModes)[number];

export class Door {
  readonly #port: number;
  readonly #take: (socket: Socket) => void;
  readonly #links = new Set<Socket>();
  /** Came while the host was frozen, and are taken when it thaws. */
  readonly #waiting = new Set<Socket>();
  #server: Server | undefined;
  #address: string | undefined;
  #mode: DoorMode = 'ok';

  constructor(port: number, take: (socket: Socket) => void) {
    this.#port = port;
    this.#take = take;
  }

  get mode(): DoorMode {
    return this.#mode;
  }

  get links(): number {
    return this.#links.size;
  }

  /** Settles once it listens, or once it is known that it cannot, which is said on standard error. */
  async open(address: string): Promise<void> {
    this.#address = address;
    if (this.#server === undefined && this.#mode !== 'refuse') await this.#listen(address);
  }

  /** Nothing listens any more when it returns, and every link is cut. */
  close(): void {
    this.#address = undefined;
    this.#stopListening();
    for (const socket of this.#links) socket.destroy();
  }

  async set(mode: DoorMode): Promise<void> {
    this.#mode = mode;
    for (const socket of this.#links) {
      if (mode === 'freeze') freeze(socket);
      else thaw(socket);
    }
    if (mode === 'refuse') this.#stopListening();
    else if (this.#address !== undefined) await this.open(this.#address);
    if (mode !== 'freeze') for (const socket of this.#waiting) this.#welcome(socket);
  }

  #listen(address: string): Promise<void> {
    const server = createServer((socket) => this.#come(socket));
    this.#server = server;
    return new Promise((resolve) => {
      server.once('listening', () => {
        // Closed before it listened, which a close alone does not prevent.
        if (this.#server !== server) server.close();
        resolve();
      });
      server.on('error', (problem) => {
        process.stderr.write(`sandbox: SSH at ${address}: ${problem.message}\n`);
        if (this.#server === server) this.#server = undefined;
        resolve();
      });
      server.listen(this.#port, address);
    });
  }

  #stopListening(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #come(socket: Socket): void {
    this.#links.add(socket);
    // As sshd: a protocol of small questions and answers would wait 40 ms for each.
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#links.delete(socket);
      this.#waiting.delete(socket);
    });
    this.#welcome(socket);
  }

  #welcome(socket: Socket): void {
    this.#waiting.delete(socket);
    switch (this.#mode) {
      case 'ok':
        return this.#take(socket);
      case 'freeze':
        return void this.#waiting.add(socket);
      case 'banner_only':
        socket.write('SSH-2.0-OpenSSH_9.2\r\n');
        return void socket.resume();
      case 'refuse':
      case 'hang':
        // Read, to notice when the other side gives up.
        return void socket.resume();
    }
  }
}

function freeze(socket: Socket): void {
  socket.pause();
  if (socket.writableCorked === 0) socket.cork();
}

function thaw(socket: Socket): void {
  if (socket.writableCorked === 0) return;
  socket.uncork();
  socket.resume();
}
