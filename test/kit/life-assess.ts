// Holds what Fermata did to a machine against what was true of it: stops that were wrong, late or missing, and verdicts.
import type { Snooze, Span } from './life-truth.ts';
import { rightVerdict } from './life-truth.ts';

export interface Look {
  readonly atMs: number;
  readonly verdict: string;
  readonly next: string;
  readonly reasons: readonly string[];
}

/** All that is known of one life; times are ms since 1970. */
export interface LifeRecord {
  readonly name: string;
  /** Timeout and grace together, and the time between two sweeps, as scaled. */
  readonly windowMs: number;
  readonly sweepMs: number;
  readonly spans: readonly Span[];
  readonly snoozes: readonly Snooze[];
  readonly touches: readonly number[];
  /** In order of time. */
  readonly looks: readonly Look[];
  /** Calls that stopped it, and whose they were; calls that started it. */
  readonly stops: readonly { readonly atMs: number; readonly ours: boolean }[];
  readonly starts: readonly number[];
}

export interface Assessment {
  /** Verdicts that could be compared, and those that were not right. */
  readonly compared: number;
  readonly wrong: readonly string[];
  /** Stops of a machine that was in use, that could not be read, that was snoozed, or before its time. */
  readonly falseStops: readonly string[];
  /** Stops within the one sweep that a look may be old: use that began in that moment. */
  readonly raced: number;
  readonly missedStops: readonly string[];
  /** From the beginning of idleness to the stop, beyond the window. */
  readonly beyondWindowMs: readonly number[];
  /** Between two looks at it, while it ran. */
  readonly gapsMs: readonly number[];
  /** From the look that asked for a stop to the call. */
  readonly reactionsMs: readonly number[];
}

/** A machine of which nobody has a look for so long was not watched. */
const LONGEST_GAP_MS = 45_000;
const CLOCKS_AGREE_MS = 1_500;

const clock = (ms: number) => new Date(ms).toISOString().slice(11, 23);

/** Judges one life. `slackMs` is how long this computer takes from a verdict to the call, as measured over all lives. */
export function assess(record: LifeRecord, slackMs: number): Assessment {
  const ours = record.stops.filter((stop) => stop.ours).map(({ atMs }) => atMs);
  const verdicts = comparable(record);
  const judged = ours.map((atMs) => judgeStop(record, atMs));
  return {
    compared: verdicts.length,
    wrong: verdicts.flatMap(({ look, right }) =>
      look.verdict === right
        ? []
        : [`${record.name}: ${look.verdict}, not ${right}, at ${clock(look.atMs)}: ${look.reasons.join('; ')}`],
    ),
    falseStops: judged.flatMap(({ wrong }) => wrong ?? []),
    raced: judged.filter(({ raced }) => raced).length,
    missedStops: calmOf(record).flatMap((calm) => missedIn(record, calm, slackMs) ?? []),
    beyondWindowMs: calmOf(record).flatMap(({ fromMs, stoppedAt }) =>
      stoppedAt === undefined ? [] : [stoppedAt - fromMs - record.windowMs],
    ),
    gapsMs: gapsOf(record),
    reactionsMs: reactionsOf(record),
  };
}

/** From each verdict that asked for a stop to the call that followed before the next look. */
export function reactionsOf({ looks, stops }: Pick<LifeRecord, 'looks' | 'stops'>): number[] {
  return stops.flatMap(({ atMs, ours }) => {
    const asked = looks.findLast((look) => look.atMs <= atMs && look.next === 'stop');
    return ours && asked ? [atMs - asked.atMs] : [];
  });
}

function spanAt({ spans }: LifeRecord, atMs: number): Span | undefined {
  return spans.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
}

const between = (times: readonly number[], fromMs: number, toMs: number) =>
  times.some((atMs) => fromMs <= atMs && atMs <= toMs);

/** Looks that began and ended in one situation: a look begins after the one before it has ended. */
function comparable(record: LifeRecord) {
  const turns = [...record.stops.map(({ atMs }) => atMs), ...record.starts];
  return record.looks.flatMap((look, index) => {
    const before = record.looks[index - 1];
    const span = spanAt(record, look.atMs);
    if (!before || !span?.was || before.atMs < span.fromMs) return [];
    if (between(turns, before.atMs, look.atMs)) return [];
    return [{ look, right: rightVerdict(span.was) }];
  });
}

function gapsOf({ looks, stops, starts }: LifeRecord): number[] {
  const turns = [...stops.map(({ atMs }) => atMs), ...starts];
  return looks.flatMap(({ atMs }, index) => {
    const before = looks[index - 1];
    return before && !between(turns, before.atMs, atMs) ? [atMs - before.atMs] : [];
  });
}

/** The time around a moment in which nobody looked. */
function gapAround({ looks }: LifeRecord, atMs: number): number {
  const before = looks.findLast((look) => look.atMs <= atMs)?.atMs ?? atMs;
  const after = looks.find((look) => look.atMs > atMs)?.atMs ?? atMs;
  return after - before;
}

function judgeStop(record: LifeRecord, atMs: number): { readonly wrong?: string; readonly raced: boolean } {
  const { name, sweepMs, windowMs } = record;
  const wrong = (why: string) => ({ wrong: `${name}: stopped at ${clock(atMs)}, ${why}`, raced: false });
  const span = spanAt(record, atMs);
  const was = span?.was;
  if (span && was && (was.work !== null || was.blind !== null)) {
    const lastedMs = atMs - span.fromMs;
    const what = `${was.work ?? 'nothing'} with ${was.blind ?? 'sight'} for ${lastedMs} ms`;
    // What began after the last look is not to be seen, unless it is a lease, which is asked for in the same moment.
    if (was.work === 'command' || lastedMs > sweepMs) return wrong(what);
    return { raced: true };
  }
  const snoozed = record.snoozes.find(({ fromMs, untilMs }) => fromMs + sweepMs < atMs && atMs < untilMs);
  if (snoozed) return wrong(`snoozed until ${clock(snoozed.untilMs)}`);
  const early = earlierThan(record, atMs);
  return early === undefined
    ? { raced: false }
    : wrong(`${atMs - early.atMs} ms after ${early.what}, not ${windowMs} ms`);
}

/** The use or start that a stop came too soon after; the idle clock begins at most one look before the end of a use. */
function earlierThan(record: LifeRecord, atMs: number): { readonly atMs: number; readonly what: string } | undefined {
  const { spans, looks, touches, starts, windowMs } = record;
  const seen = spans.filter(
    ({ was, fromMs, toMs }) =>
      was &&
      was.work !== null &&
      looks.some((look) => look.verdict === 'busy' && fromMs <= look.atMs && look.atMs < toMs),
  );
  const events = [
    ...seen.map(({ toMs }) => ({ atMs: toMs, what: 'a use that was seen' })),
    ...touches.map((touchedMs) => ({ atMs: touchedMs, what: 'a command' })),
    ...starts.map((startedMs) => ({ atMs: startedMs, what: 'a start' })),
  ];
  return events.find(
    (event) => event.atMs < atMs && atMs - event.atMs < windowMs - gapAround(record, event.atMs) - CLOCKS_AGREE_MS,
  );
}

interface Calm {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stoppedAt: number | undefined;
}

/** Times in which the machine ran, could be read, and nothing used or held it. */
function calmOf(record: LifeRecord): Calm[] {
  return record.spans.flatMap(({ fromMs, toMs, was }) => {
    if (was === null || was.work !== null || was.blind !== null) return [];
    const lastTurn = [
      ...record.stops.map(({ atMs }) => ({ atMs, up: false })),
      ...record.starts.map((atMs) => ({ atMs, up: true })),
    ]
      .filter(({ atMs }) => atMs <= fromMs)
      .sort((a, b) => b.atMs - a.atMs)[0];
    if (lastTurn && !lastTurn.up) return [];
    const snoozedMs = record.snoozes.filter((snooze) => snooze.fromMs < toMs && snooze.untilMs > fromMs);
    const begins = Math.max(fromMs, ...snoozedMs.map(({ untilMs }) => untilMs));
    const stop = record.stops.find(({ atMs }) => atMs >= fromMs && atMs < toMs);
    const ends = stop?.atMs ?? toMs;
    if (begins >= ends) return [];
    return [{ fromMs: begins, toMs: ends, stoppedAt: stop?.ours ? stop.atMs : undefined }];
  });
}

/** The bound: the window and two sweeps, as long as sweeps took, from the first look that began in it. */
function missedIn(record: LifeRecord, { fromMs, toMs }: Calm, slackMs: number): string | undefined {
  const inside = record.looks.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).map(({ atMs }) => atMs);
  const steps = [fromMs, ...inside, toMs].map((atMs, index, all) => atMs - (all[index - 1] ?? atMs));
  const longestMs = Math.max(...steps);
  const lasted = `idle from ${clock(fromMs)} to ${clock(toMs)}`;
  if (longestMs > LONGEST_GAP_MS) return `${record.name}: ${lasted}, and for ${longestMs} ms nobody looked`;
  const [first = toMs] = inside;
  const boundMs = record.windowMs + 2 * Math.max(record.sweepMs, ...steps.slice(2)) + slackMs;
  return toMs - first > boundMs ? `${record.name}: ${lasted}, not stopped within ${Math.round(boundMs)} ms` : undefined;
}
