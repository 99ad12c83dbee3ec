// What is remembered of a member between two looks: watched time, counted up look by look.
import type { IdlePolicy } from './idle-policy.ts';
import type { Probe } from './probe.ts';
import type { Bounded, Evidence } from './use.ts';

export type IdleVerdict = 'busy' | 'idle' | 'unknown';

/** Why a stop is on its way: nothing uses the machine, nobody can tell, or it has run for as long as it may. */
export type StopCause = 'idle' | 'unknown' | 'max_run';

/**
 * Spans are watched time and not times of day: a clock that jumps, and hours in which nobody looked, neither make a
 * machine idle nor use up a warning.
 */
export type IdleClocks = {
  readonly judgedAt: string;
  readonly launchedAt: string | null;
  readonly bootId: string | null;
  /** The machine's own clock at the last look that could read it; it never jumps. */
  readonly uptimeS: number | null;
  /** When that look was, by our clock; null when it is the zero of a boot that no look has followed. */
  readonly uptimeAt: string | null;
  /** What the input said at the last look: another value means a use in between. */
  readonly lastUseAt: string | null;
  /** When use was last seen, for people. */
  readonly lastSeenBusyAt: string | null;
  readonly gpuLastBusyAt: string | null;
  /** Without a sign of use; stands still while it is unknown. */
  readonly idleMs: number;
  readonly unknownMs: number;
  /** Since the launch, as far as it was watched or the machine's own clock tells. */
  readonly ranMs: number;
  /** A GPU held without a computation. */
  readonly contextMs: number;
  /** Logins without any other use. */
  readonly loginsMs: number;
  readonly warned: { readonly cause: StopCause; readonly ms: number } | null;
  readonly alerted: boolean;
};

/** Times are ISO. */
export interface IdleInput {
  readonly now: string;
  readonly registeredAt: string;
  /** The cloud's launch time, which is another one after each start; null where no cloud tells. */
  readonly launchedAt: string | null;
  /** When a lease on it last ended, as the store knows: work that began and ended between two looks. */
  readonly lastUseAt: string | null;
  readonly snoozedUntil: string | null;
  /** Null before the first look. */
  readonly clocks: IdleClocks | null;
  /** Who holds a lease on it. */
  readonly holders: readonly string[];
  readonly probe: Probe;
  readonly policy: IdlePolicy;
}

/** The clocks as they were, or fresh ones on the first look and after a launch or boot. */
export function clocksBefore({ registeredAt, launchedAt, lastUseAt, clocks, probe }: IdleInput): IdleClocks {
  const launched = clocks === null || clocks.launchedAt !== launchedAt;
  const bootId = 'unreachable' in probe ? null : probe.bootId;
  const booted = launched || (bootId !== null && clocks.bootId !== null && bootId !== clocks.bootId);
  if (!booted) return clocks;
  return {
    judgedAt: launched ? latest(registeredAt, launchedAt, clocks === null ? lastUseAt : null) : clocks.judgedAt,
    launchedAt,
    bootId,
    // A boot began at zero; a host's clock that did not is held back by ours.
    uptimeS: 0,
    uptimeAt: null,
    lastUseAt: clocks === null ? lastUseAt : clocks.lastUseAt,
    lastSeenBusyAt: clocks?.lastSeenBusyAt ?? null,
    gpuLastBusyAt: clocks?.gpuLastBusyAt ?? null,
    idleMs: 0,
    unknownMs: 0,
    ranMs: launched ? 0 : clocks.ranMs,
    contextMs: 0,
    loginsMs: 0,
    warned: null,
    alerted: false,
  };
}

function latest(first: string, ...others: readonly (string | null)[]): string {
  return others.reduce<string>((last, at) => (at !== null && Date.parse(at) > Date.parse(last) ? at : last), first);
}

/** Two clocks that are read by different machines a moment apart agree within this. */
const AGREE_MS = 10_000;

/**
 * The time since the last look, ms, as far as it counts: by the machine's clock where both looks read it, never
 * negative, and never more than the policy lets pass for watched.
 */
export function watchedMs(before: IdleClocks, { now, probe, policy }: IdleInput): number {
  const byUsMs = Date.parse(now) - Date.parse(before.judgedAt);
  const uptimeS = 'unreachable' in probe ? null : probe.uptimeS;
  if (uptimeS === null || before.uptimeS === null) return within(byUsMs, policy);
  const byMachineMs = (uptimeS - before.uptimeS) * 1000;
  if (before.uptimeAt === null) return within(Math.min(byMachineMs, byUsMs), policy);
  if (before.uptimeAt === before.judgedAt) return within(byMachineMs, policy);
  // Only our clock could be read in between; where it did not keep step, nobody knows how long the last part was.
  const keptStep = Math.abs(Date.parse(now) - Date.parse(before.uptimeAt) - byMachineMs) <= AGREE_MS;
  return keptStep ? within(byUsMs, policy) : 0;
}

function within(spanMs: number, { watchGapMs }: IdlePolicy): number {
  return Math.min(Math.max(0, spanMs), watchGapMs);
}

/** Counts evidence up that is worth something for a while only; it begins anew with each better evidence. */
export function boundedAfter(before: IdleClocks, evidence: Evidence, otherUse: boolean, spanMs: number): Bounded {
  const { gpu, logins } = evidence;
  const merelyHeld = gpu !== null && gpu.contexts > 0 && !gpu.works;
  const merelyThere = logins !== null && logins > 0 && evidence.busy.length === 0 && !otherUse;
  return {
    contextMs: gpu === null ? before.contextMs : merelyHeld ? before.contextMs + spanMs : 0,
    loginsMs: logins === null ? before.loginsMs : merelyThere ? before.loginsMs + spanMs : 0,
  };
}

/** What a look amounts to, once it is clear what it shows. */
export interface Look {
  readonly verdict: IdleVerdict;
  readonly usedBetween: boolean;
  readonly gpuWorks: boolean;
  readonly bounded: Bounded;
  readonly spanMs: number;
}

/** The clocks after a look, but for what was said about it. */
export function clocksAfter(
  before: IdleClocks,
  input: IdleInput,
  { verdict, usedBetween, gpuWorks, bounded, spanMs }: Look,
): Omit<IdleClocks, 'warned' | 'alerted'> {
  const values = 'unreachable' in input.probe ? null : input.probe;
  const used = verdict === 'busy' || usedBetween;
  return {
    judgedAt: input.now,
    launchedAt: input.launchedAt,
    bootId: values?.bootId ?? before.bootId,
    uptimeS: values?.uptimeS ?? before.uptimeS,
    uptimeAt: typeof values?.uptimeS === 'number' ? input.now : (before.uptimeAt ?? before.judgedAt),
    lastUseAt: input.lastUseAt,
    lastSeenBusyAt: verdict === 'busy' ? input.now : before.lastSeenBusyAt,
    gpuLastBusyAt: gpuWorks ? input.now : before.gpuLastBusyAt,
    idleMs: used ? 0 : before.idleMs + (verdict === 'idle' ? spanMs : 0),
    unknownMs: used || verdict !== 'unknown' ? 0 : before.unknownMs + spanMs,
    ranMs: ranMsAfter(before, input, spanMs),
    ...bounded,
  };
}

/** Neither clock alone will do: the machine's may be its host's, and ours may have jumped. */
function ranMsAfter(before: IdleClocks, { now, launchedAt, probe }: IdleInput, spanMs: number): number {
  const uptimeS = 'unreachable' in probe ? null : probe.uptimeS;
  const byUsMs = launchedAt === null ? Infinity : Date.parse(now) - Date.parse(launchedAt);
  return Math.max(before.ranMs + spanMs, uptimeS === null ? 0 : Math.min(uptimeS * 1000, byUsMs));
}
