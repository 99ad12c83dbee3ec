// When an unused machine is warned about and stopped: a rule from evidence, leases and the time that was watched.
import type { IdleClocks, IdleInput, IdleVerdict, StopCause } from './idle-clocks.ts';
import { boundedAfter, clocksAfter, clocksBefore, watchedMs } from './idle-clocks.ts';
import type { IdlePolicy } from './idle-policy.ts';
import { spanText } from './span.ts';
import { boundedUse, evidenceOf } from './use.ts';

/**
 * What the caller has to do.
 * - `warn`: tell people that it will be stopped at `stopAt`, and why · `alert_unknown`: tell people, and hold
 * - `stop`: ask for a stop that goes away when anybody holds the machine
 * - `stop_max_run`: ask for a stop that waits for those who hold it; it is asked for even when the machine works
 */
export type IdleNext = 'none' | 'warn' | 'alert_unknown' | 'stop' | 'stop_max_run';

export interface Judgement {
  readonly verdict: IdleVerdict;
  /** Sentences with numbers, what decided first. */
  readonly reasons: readonly string[];
  readonly next: IdleNext;
  /** What a warning or stop is due for; null while snoozed. */
  readonly cause: StopCause | null;
  /** ISO; null unless idle. */
  readonly idleSince: string | null;
  /** ISO, when it will be stopped if nothing changes; null when no stop is in sight. */
  readonly stopAt: string | null;
  /** To be kept for the next look, in the same transaction as what follows from this one. */
  readonly clocks: IdleClocks;
}

/**
 * Judges one look at a member that runs. Promises:
 * 1. `stop` comes only on a verdict of `idle`, or `unknown` where the policy says `stop`, never with a holder, and
 *    only after a warning of the same cause that stood for `graceMs` of watched time without a use, snooze or new boot.
 * 2. A use sets the idle clock back, and unknown stops it: use that nobody could see leaves no mark, and a machine that
 *    can be read only now and then is still stopped.
 * 3. A snooze holds warnings and stops, and the warning is given again after it.
 * 4. A use that was seen, a lease, and a new launch or boot begin everything anew, but for the running time, which only
 *    a launch begins anew.
 * 5. `maxRunMs` warns in the same way and then asks for a stop that leases can hold up: it kills nothing by itself.
 */
export function judge(input: IdleInput): Judgement {
  const { now, policy, holders } = input;
  const before = clocksBefore(input);
  const spanMs = watchedMs(before, input);
  const usedBetween = input.lastUseAt !== before.lastUseAt;
  const evidence = evidenceOf(input.probe, policy);
  const bounded = boundedAfter(before, evidence, holders.length > 0 || usedBetween, spanMs);
  const weak = boundedUse(evidence, policy, bounded);
  const busy = [...holders.map((holder) => `held by ${holder}`), ...evidence.busy, ...weak.busy];
  const verdict = busy.length > 0 ? 'busy' : evidence.unknown.length > 0 ? 'unknown' : 'idle';
  const gpuWorks = evidence.gpu?.works === true;
  const clocks = clocksAfter(before, input, { verdict, usedBetween, gpuWorks, bounded, spanMs });

  const cause = causeOf(verdict, clocks, policy);
  const snoozed = input.snoozedUntil !== null && Date.parse(input.snoozedUntil) > Date.parse(now);
  const stands = !snoozed && warningStands(before.warned?.cause, { cause, verdict, usedBetween });
  const warned = stands && before.warned ? { ...before.warned, ms: before.warned.ms + (cause ? spanMs : 0) } : null;
  const next = nextOf({ ...clocks, cause, verdict, snoozed, warned, alerted: before.alerted }, policy);
  return {
    verdict,
    reasons: [
      ...(cause === 'max_run' ? [`running for ${spanText(clocks.ranMs)}, longer than it may`] : []),
      ...busy,
      ...(verdict === 'idle' ? [`not used for ${spanText(clocks.idleMs)}`] : []),
      ...(verdict === 'unknown' ? [`not known for ${spanText(clocks.unknownMs)}`] : []),
      ...evidence.unknown,
      ...evidence.idle,
      ...weak.idle,
    ],
    next,
    cause: snoozed ? null : cause,
    idleSince: verdict === 'idle' ? shifted(now, -clocks.idleMs) : null,
    stopAt: stopAtOf(input, { ...clocks, cause, verdict, snoozed, warned }),
    clocks: {
      ...clocks,
      warned: next === 'warn' && cause !== null ? { cause, ms: 0 } : warned,
      alerted: verdict === 'unknown' && (before.alerted || next === 'alert_unknown'),
    },
  };
}

type Counted = Pick<IdleClocks, 'idleMs' | 'unknownMs' | 'ranMs' | 'warned'>;

/** Idleness first: its stop is the gentlest, and a machine that is about to be stopped needs no second reason. */
function causeOf(verdict: IdleVerdict, counted: Omit<Counted, 'warned'>, policy: IdlePolicy): StopCause | null {
  if (verdict === 'idle' && counted.idleMs >= policy.idleTimeoutMs) return 'idle';
  if (verdict === 'unknown' && policy.onUnknown === 'stop' && counted.unknownMs >= policy.unknownBoundMs) {
    return 'unknown';
  }
  return policy.maxRunMs !== null && counted.ranMs >= policy.maxRunMs ? 'max_run' : null;
}

/** While nobody can tell whether the machine is used, a warning of idleness stands still. */
function warningStands(
  of: StopCause | undefined,
  now: { readonly cause: StopCause | null; readonly verdict: IdleVerdict; readonly usedBetween: boolean },
): boolean {
  if (now.cause !== null) return of === now.cause;
  return of === 'idle' && now.verdict === 'unknown' && !now.usedBetween;
}

interface Situation extends Counted {
  readonly cause: StopCause | null;
  readonly verdict: IdleVerdict;
  readonly snoozed: boolean;
}

function nextOf(situation: Situation & { readonly alerted: boolean }, policy: IdlePolicy): IdleNext {
  const { cause, verdict, snoozed, warned } = situation;
  if (cause !== null && !snoozed) {
    if (warned === null) return 'warn';
    if (warned.ms >= policy.graceMs) return cause === 'max_run' ? 'stop_max_run' : 'stop';
  }
  // Where it is to be stopped for that, the warning has said so.
  const overdue = verdict === 'unknown' && cause !== 'unknown' && situation.unknownMs >= policy.unknownBoundMs;
  return overdue && !situation.alerted ? 'alert_unknown' : 'none';
}

function stopAtOf({ now, snoozedUntil, policy }: IdleInput, situation: Situation): string | null {
  const { cause, verdict, snoozed, idleMs, warned } = situation;
  if (cause === null && verdict !== 'idle') return null;
  const untilDueMs = cause === null ? policy.idleTimeoutMs - idleMs : 0;
  const at = shifted(now, Math.max(0, untilDueMs + policy.graceMs - (warned?.ms ?? 0)));
  if (!snoozed || snoozedUntil === null) return at;
  const afterSnooze = shifted(snoozedUntil, policy.graceMs);
  return Date.parse(afterSnooze) > Date.parse(at) ? afterSnooze : at;
}

function shifted(at: string, byMs: number): string {
  return new Date(Date.parse(at) + byMs).toISOString();
}
