// Chooses the ports of the inner parts once, keeps them in the data folder, and changes one only when somebody took it.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFree } from './port-use.mjs';

// Below what systems give to outgoing connections, which would take a port while we are stopped.
const FIRST = 20_000;
const COUNT = 10_000;
const TRIES = 100;

export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let n = 0; n < TRIES; n++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port between ${FIRST} and ${FIRST + COUNT} in ${TRIES} tries`);
}

/** `wanted` names each port, with the number that people expect there where one exists. */
export async function keepPorts<Name extends string>(
  dataDir: string,
  wanted: Readonly<Record<Name, number | undefined>>,
  say: (line: string) => void,
): Promise<(name: Name) => number> {
  const file = join(dataDir, 'ports.json');
  const ports = new Map(Object.entries(read(file)));
  for (const [name, preferred] of Object.entries<number | undefined>(wanted)) {
    const kept = ports.get(name);
    if (kept !== undefined && (await isFree(kept))) continue;
    const others = new Set(ports.values());
    const port = await freePort(preferred !== undefined && !others.has(preferred) ? preferred : undefined);
    if (kept !== undefined)
      say(`port ${kept} of ${name} was taken by another program: ${name} is on ${port} from now on`);
    ports.set(name, port);
  }
  writeFileSync(`${file}.new`, `${JSON.stringify(Object.fromEntries(ports), undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return (name) => {
    const port = ports.get(name);
    if (port === undefined) throw new Error(`no port for ${name}`);
    return port;
  };
}

function read(file: string): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return {};
    return Object.fromEntries(
      Object.entries(parsed).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
    );
  } catch {
    return {};
  }
}
