// Commands through a network that resets its links, and what is left of them: for the tests in short, for the bench in long.
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Host } from './hosts.ts';
import type { EndedTask } from './members.ts';
import { ask, ended } from './members.ts';
import type { System } from './system.ts';
import { startTcpProxy } from './tcp-proxy.ts';

export interface ResetsOptions {
  /** The machine behind the bad network. */
  readonly host: Host;
  /** What the member is called. */
  readonly name: string;
  readonly commands: number;
  readonly seed: number;
}

export interface ResetsReport {
  readonly seed: number;
  readonly commands: number;
  /** Commands that had their effect. */
  readonly effects: number;
  /** Commands that had it more than once, or never. */
  readonly doubled: readonly number[];
  readonly missing: readonly number[];
  /** Tasks that ended otherwise than completed, with the reason. */
  readonly otherwise: readonly string[];
  /** Those of them of which nobody knows what they did. */
  readonly unknown: number;
  readonly links: number;
  readonly reset: number;
}

/** Few at a time: each link carries several, and a link that is lost takes all of them with it. */
const AT_A_TIME = 6;
const RESET_SHARE = 0.6;
const MIN_MS = 20;
const MAX_MS = 180;
/** A link that was spared would carry all that is left, so from time to time every link goes. */
const ALL_EVERY_MS = 900;
const END_MS = 120_000;

/** Registers the machine through a proxy, runs the commands on it, and counts what they did. */
export async function resets(system: System, options: ResetsOptions): Promise<ResetsReport> {
  const { host, name, commands, seed } = options;
  const proxy = await startTcpProxy(host, { resetShare: RESET_SHARE, minMs: MIN_MS, maxMs: MAX_MS, seed });
  const over = new AbortController();
  const file = `${host.home}/effects-of-${name}`;
  const cutting = cutAll(proxy.resetAll, over.signal);
  try {
    const { status, text } = await system.api.call('POST', '/api/v1/members', {
      friendly_name: name,
      host: proxy.host,
      port: proxy.port,
      username: host.username,
      key_path: host.keyPath,
      host_key: host.fingerprint,
      work_folder: host.home,
    });
    if (status !== 201) throw new Error(`register ${name}: ${status} ${text}`);
    const numbers = Array.from({ length: commands }, (_, number) => number);
    const queue = [...numbers];
    const ends: EndedTask[] = [];
    const lane = async () => {
      for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
        const id = await ask(system, name, 'commands', { command: `echo ${number} >>effects-of-${name}` });
        ends.push(await ended(system, id, END_MS));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    const counts = countsIn(file);
    const otherwise = ends
      .filter(({ status: end, result }) => end !== 'COMPLETED' || result?.exit_code !== 0)
      .map(({ status: end, reason, error }) => `${end} ${reason ?? ''}: ${error ?? ''}`);
    return {
      seed,
      commands,
      effects: counts.size,
      doubled: numbers.filter((number) => (counts.get(number) ?? 0) > 1),
      missing: numbers.filter((number) => !counts.has(number)),
      otherwise,
      unknown: ends.filter(({ reason }) => reason === 'outcome_unknown').length,
      links: proxy.stats().opened,
      reset: proxy.stats().reset,
    };
  } finally {
    over.abort();
    await cutting;
    await proxy.stop();
  }
}

async function cutAll(cut: () => void, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await pause(ALL_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
    cut();
  }
}

/** How often each number stands in the file. */
function countsIn(file: string): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  for (const number of lines.filter((line) => line !== '').map((line) => z.coerce.number().int().parse(line))) {
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  return counts;
}
