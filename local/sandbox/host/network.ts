// Claims a loopback network, so that several sandboxes on one machine give their instances addresses of their own.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** 127.NUMBER.x.y, where every instance listens on the same port. */
export interface Network {
  readonly number: number;
  readonly port: number;
}

const firstNumber = 64;
const lastNumber = 250;
const numbers = Array.from({ length: lastNumber - firstNumber + 1 }, (_, index) => firstNumber + index);

/** Taken by a person's own SSH server or a container more often than not, so there is a second choice. */
const otherPort = 22_222;

/**
 * Holds the network until the process ends; prefers the one the folder had last time, for addresses that stay. Undefined,
 * with a word to standard error, where a machine cannot listen on such addresses.
 */
export async function claimNetwork(folder: string, wantedPort: number): Promise<Network | undefined> {
  if (process.platform !== 'linux') {
    say(`only Linux answers at every loopback address`);
    return undefined;
  }
  const path = join(folder, 'ssh', 'network');
  const order = inOrder(kept(path));
  for (const port of [wantedPort, otherPort]) {
    for (const number of order) {
      const problem = await held(`127.${number}.255.254`, port);
      if (problem === undefined) {
        if (port !== wantedPort) process.stderr.write(`sandbox: port ${wantedPort} is taken, SSH is on ${port}\n`);
        mkdirSync(join(folder, 'ssh'), { recursive: true, mode: 0o700 });
        writeFileSync(path, `${number}\n`);
        return { number, port };
      }
      if (problem !== 'EADDRINUSE') {
        say(`127.${number}.255.254 port ${port}: ${problem}`);
        return undefined;
      }
    }
  }
  say(`ports ${wantedPort} and ${otherPort} are taken at all loopback addresses`);
  return undefined;
}

const say = (why: string) => process.stderr.write(`sandbox: its instances are no SSH hosts: ${why}\n`);

function kept(path: string): number | undefined {
  try {
    const number = Number(readFileSync(path, 'utf8'));
    return numbers.includes(number) ? number : undefined;
  } catch {
    return undefined;
  }
}

/** A new folder starts anywhere, so that sandboxes started at once seldom meet. */
function inOrder(first: number | undefined): number[] {
  const start = first === undefined ? Math.floor(Math.random() * numbers.length) : numbers.indexOf(first);
  return [...numbers.slice(start), ...numbers.slice(0, start)];
}

/** The code of what went wrong, if anything. */
function held(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const lock = createServer((socket) => socket.destroy());
    lock.once('error', (problem) => resolve('code' in problem ? String(problem.code) : problem.message));
    lock.listen(port, address, () => {
      // The lock alone keeps no process alive.
      lock.unref();
      resolve(undefined);
    });
  });
}
