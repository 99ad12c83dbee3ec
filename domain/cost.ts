// Machine time in money: which hours are billed, what they cost, and when that deserves a word.
import type { InstanceState } from './instance.ts';
import { durationText } from './span.ts';

const HOUR_MS = 3_600_000;
/** Linux on demand is billed by the second, and for a minute at least after each start (EC2 pricing page). */
export const SHORTEST_BILLED_MS = 60_000;

/** A state and when it was entered, ISO. */
export interface Transition {
  readonly state: InstanceState;
  readonly at: string;
  /** A stop that keeps the memory on disk. */
  readonly hibernates?: boolean;
}

/**
 * Whether EC2 bills the instance in a state: `running`, and `stopping` while it prepares to hibernate; not `pending`,
 * `stopped`, `shutting-down` and `terminated`. Source: EC2 User Guide, "Amazon EC2 instance state changes".
 * The disks are billed in all of them until they are deleted.
 */
export function isBilled({ state, hibernates = false }: Pick<Transition, 'state' | 'hibernates'>): boolean {
  return state === 'running' || (state === 'stopping' && hibernates);
}

/** A stretch of billed time, ISO; `to` is null while it goes on. */
export interface BilledTime {
  readonly from: string;
  readonly to: string | null;
}

/** The billed stretches of a machine, in order; transitions may come in any order and more than once. */
export function billedTime(transitions: readonly Transition[]): BilledTime[] {
  const stretches: BilledTime[] = [];
  let from: string | null = null;
  for (const transition of transitions.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))) {
    if (isBilled(transition)) from ??= transition.at;
    else if (from !== null) {
      stretches.push({ from, to: transition.at });
      from = null;
    }
  }
  return from === null ? stretches : [...stretches, { from, to: null }];
}

/** A stretch with the price of its time: a machine may have changed its type in between. */
export interface PricedTime extends BilledTime {
  /** Null when it is not known. */
  readonly usdPerHour: number | null;
}

/** Money is null where a price is not known. */
export interface Cost {
  readonly running: boolean;
  /** What it costs now: 0 for the instance when it does not run. */
  readonly usdPerHour: number | null;
  /** Of the stretch that goes on; 0 when none does. */
  readonly sessionMs: number;
  readonly sessionUsd: number | null;
  readonly machineMs: number;
  readonly machineUsd: number | null;
}

/** What a machine costs and has cost until `now` (ISO), without its disks. */
export function costOf(stretches: readonly PricedTime[], now: string): Cost {
  const session = stretches.find(({ to }) => to === null);
  return {
    running: session !== undefined,
    usdPerHour: session ? session.usdPerHour : 0,
    sessionMs: session ? lengthMs(session, now) : 0,
    sessionUsd: session ? usdOfStretch(session, now) : 0,
    machineMs: stretches.reduce((ms, stretch) => ms + lengthMs(stretch, now), 0),
    machineUsd: sum(stretches.map((stretch) => usdOfStretch(stretch, now))),
  };
}

/** What the stretches cost between two times (ISO), for budgets; null when a price in it is not known. */
export function usdBetween(stretches: readonly PricedTime[], from: string, to: string): number | null {
  const inside = stretches.flatMap((stretch) => {
    const start = Math.max(Date.parse(stretch.from), Date.parse(from));
    const end = Math.min(stretch.to === null ? Infinity : Date.parse(stretch.to), Date.parse(to));
    return end > start ? [priced(end - start, stretch.usdPerHour)] : [];
  });
  return sum(inside);
}

/** Billed time of one price. */
export interface TimeAtPrice {
  readonly ms: number;
  /** Null when it is not known. */
  readonly usdPerHour: number | null;
}

/** A sum as far as prices are known. */
export interface Spent {
  readonly knownUsd: number;
  /** False when the price of some of the time is not known. */
  readonly complete: boolean;
}

/** What so much time cost. */
export function spentOn(times: readonly TimeAtPrice[]): Spent {
  const known = times.flatMap(({ ms, usdPerHour }) => priced(ms, usdPerHour) ?? []);
  return { knownUsd: known.reduce((total, usd) => total + usd, 0), complete: known.length === times.length };
}

/** The sum, or null when it is not complete: half a sum misleads. */
export function usdOf({ knownUsd, complete }: Spent): number | null {
  return complete ? knownUsd : null;
}

/** Since when a session counts, ISO: since it was seen to run, or since the last start where that was not seen. */
export function sessionStart(seenAt: string, launchedAt: string | null): string {
  return launchedAt !== null && Date.parse(launchedAt) > Date.parse(seenAt) ? launchedAt : seenAt;
}

function lengthMs({ from, to }: BilledTime, now: string): number {
  const end = to === null ? Date.parse(now) : Math.min(Date.parse(to), Date.parse(now));
  return Math.max(0, end - Date.parse(from));
}

function usdOfStretch(stretch: PricedTime, now: string): number | null {
  const ms = lengthMs(stretch, now);
  return priced(ms === 0 ? 0 : Math.max(SHORTEST_BILLED_MS, ms), stretch.usdPerHour);
}

function priced(ms: number, usdPerHour: number | null): number | null {
  return usdPerHour === null ? null : (usdPerHour * ms) / HOUR_MS;
}

/** The sum, or null where one of them is not known: half a sum misleads. */
export function sum(parts: readonly (number | null)[]): number | null {
  return parts.reduce((total, part) => (total === null || part === null ? null : total + part), 0);
}

/** `$1.50`; `?` when it is not known. */
export function usdText(usd: number | null): string {
  return usd === null ? '?' : `$${usd.toFixed(2)}`;
}

/** `$0.526/hr`; `?` when it is not known. */
export function rateText(usdPerHour: number | null): string {
  return usdPerHour === null ? '?' : `$${usdPerHour.toFixed(3)}/hr`;
}

export interface CostWarning {
  readonly kind: 'unknown_price' | 'expensive_rate' | 'high_cost' | 'long_session' | 'unused';
  readonly says: string;
}

const EXPENSIVE_USD_PER_HOUR = 5;
const HIGH_SESSION_USD = 10;
const LONG_SESSION_MS = 12 * HOUR_MS;
const UNUSED_MS = 2 * HOUR_MS;

/**
 * All the warnings that a machine deserves, none when it does not run: then it costs no more than its disks.
 * `lastUseAt` is when something last used it, ISO; null for never since it runs.
 */
export function costWarnings(
  cost: Pick<Cost, 'running' | 'usdPerHour' | 'sessionMs' | 'sessionUsd'>,
  { type, lastUseAt, now }: { readonly type: string; readonly lastUseAt: string | null; readonly now: string },
): CostWarning[] {
  if (!cost.running) return [];
  const warnings: CostWarning[] = [];
  if (cost.usdPerHour === null) warnings.push({ kind: 'unknown_price', says: `The price of ${type} is not known.` });
  else if (cost.usdPerHour > EXPENSIVE_USD_PER_HOUR) {
    warnings.push({ kind: 'expensive_rate', says: `Expensive instance: ${rateText(cost.usdPerHour)}.` });
  }
  if (cost.sessionUsd !== null && cost.sessionUsd > HIGH_SESSION_USD) {
    warnings.push({ kind: 'high_cost', says: `${usdText(cost.sessionUsd)} since it was started.` });
  }
  if (cost.sessionMs > LONG_SESSION_MS) {
    warnings.push({ kind: 'long_session', says: `Running for ${durationText(cost.sessionMs)}.` });
  }
  const sinceUseMs = lastUseAt === null ? Infinity : Math.max(0, Date.parse(now) - Date.parse(lastUseAt));
  const unusedMs = Math.min(cost.sessionMs, sinceUseMs);
  if (unusedMs > UNUSED_MS) {
    warnings.push({ kind: 'unused', says: `Running for ${durationText(unusedMs)} without being used.` });
  }
  return warnings;
}
