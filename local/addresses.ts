// The addresses of everything that runs, in a file of the data folder for people and tools.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SandboxAddresses {
  readonly ec2: string;
  readonly effects: string;
  /** How its running instances are reached, each at its public address; missing where they are no SSH hosts. */
  readonly ssh?: { readonly username: string; readonly key_path: string; readonly port: number } | undefined;
}

export interface Addresses {
  readonly api: string;
  readonly temporal: { readonly address: string; readonly namespace: string; readonly ui?: string };
  /** With its password: the file is its owner's alone. */
  readonly database: string;
  readonly sandbox?: SandboxAddresses;
}

const fileIn = (dataDir: string) => join(dataDir, 'addresses.json');

/** Whole or not at all: a tool that waits for the file must not read half of it. */
export function writeAddresses(dataDir: string, addresses: Addresses): void {
  const file = fileIn(dataDir);
  writeFileSync(`${file}.new`, `${JSON.stringify(addresses, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeAddresses(dataDir: string): void {
  rmSync(fileIn(dataDir), { force: true });
}
