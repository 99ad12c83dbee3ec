// A thousand random lives of machines: none is stopped while in use or unseen, none is left running when nothing uses it.
import fc from 'fast-check';
import type { IdleClocks, IdleInput } from '../../domain/idle-clocks.ts';
import type { Judgement } from '../../domain/idle.ts';
import { judge } from '../../domain/idle.ts';
import { randomOf } from '../kit/random.ts';
import { minute, values } from './looks.ts';
import type { Stretch, Timeline } from './timelines.ts';
import { isVisible, policyOf, shown, timelines } from './timelines.ts';

/** What happened, in minutes of true time that no clock here can change. */
interface Life {
  readonly falseStops: readonly string[];
  readonly missedStops: readonly string[];
  /** From the last use that anybody could see to the stop. */
  readonly waits: readonly number[];
  readonly warnings: number;
}

/** Lives a timeline look by look, a look each minute; somebody starts the machine again when it is needed. */
function live(timeline: Timeline, rule: (input: IdleInput) => Judgement = judge): Life {
  const { idleTimeoutMinutes, graceMinutes, stretches } = timeline;
  const policy = policyOf(timeline);
  const falseStops: string[] = [];
  const missedStops: string[] = [];
  const waits: number[] = [];
  let [warnings, at, skew, boots] = [0, 0, 0, 1];
  let launched = { true: 0, told: minute(0) };
  let clocks: IdleClocks | null = null;
  let runs = true;
  let [lastUseAt, snoozedUntil]: [string | null, string | null] = [null, null];
  let [lastUse, lastHeld, warnedAt]: [number, number, number | null] = [0, 0, null];

  const lookAt = (stretch: Stretch) => {
    const probe = shown(stretch, { bootId: `boot-${boots}`, uptimeS: (at - launched.true) * 60 });
    const holders = stretch.held ? ['job-1'] : [];
    const now = minute(at + skew);
    const judged = rule({
      ...{ now, registeredAt: minute(0), launchedAt: launched.told, lastUseAt, snoozedUntil, clocks, holders },
      ...{ probe, policy },
    });
    clocks = judged.clocks;
    const used = stretch.work !== null || stretch.held;
    const snoozed = snoozedUntil !== null && Date.parse(snoozedUntil) > Date.parse(now);
    // What nobody could see is no use that a rule can know of; but there is no stop while it goes on.
    if (stretch.held || (used && isVisible(stretch))) lastUse = at;
    if (used || snoozed || stretch.failure !== null) lastHeld = at;
    if (lastUse === at || snoozed) warnedAt = null;
    if (judged.next === 'warn') {
      warnings += 1;
      warnedAt = at;
    }
    const where = () => `minute ${at} of ${JSON.stringify(timeline)}`;
    if (judged.next === 'stop' || judged.next === 'stop_max_run') {
      const rightly = !used && !snoozed && stretch.failure === null && judged.next === 'stop';
      const warned = warnedAt !== null && at - warnedAt >= graceMinutes;
      if (!rightly || !warned || at - lastUse < idleTimeoutMinutes + graceMinutes) falseStops.push(where());
      waits.push(at - lastUse);
      runs = false;
    } else if (at - lastHeld > idleTimeoutMinutes + graceMinutes + 2) {
      missedStops.push(where());
      lastHeld = Infinity;
    }
  };
  const begin = ({ jumpMinutes, touched, snoozeMinutes, work, held }: Stretch) => {
    skew += jumpMinutes;
    if (snoozeMinutes > 0) snoozedUntil = minute(at + skew + snoozeMinutes);
    if (!runs && (work !== null || held || touched)) {
      runs = true;
      boots += 1;
      launched = { true: at, told: minute(at + skew) };
      [lastUse, lastHeld, warnedAt] = [at, at, null];
    }
    if (!touched) return;
    lastUseAt = minute(at + skew);
    [lastUse, lastHeld, warnedAt] = [at, at, null];
  };
  for (const stretch of stretches) {
    begin(stretch);
    for (let passed = 0; passed < stretch.minutes; passed += 1) {
      at += 1;
      if (runs) lookAt(stretch);
    }
  }
  return { falseStops, missedStops, waits, warnings };
}

test('1,000 lives: no false stop, no missed stop', () => {
  const { seed } = randomOf();
  const lives = fc.sample(timelines, { numRuns: 1000, seed }).map((timeline) => live(timeline));
  const waits = lives.flatMap((life) => life.waits).sort((a, b) => a - b);
  const falseStops = lives.flatMap((life) => life.falseStops);
  const missedStops = lives.flatMap((life) => life.missedStops);
  const warnings = lives.reduce((sum, life) => sum + life.warnings, 0);
  const minutes = (share: number) => waits[Math.floor(waits.length * share)] ?? 0;
  process.stdout.write(
    `idle: seed ${seed}, ${lives.length} lives, ${warnings} warnings, ${waits.length} stops, ` +
      `${falseStops.length} false, ${missedStops.length} missed, ` +
      `minutes from the last use to the stop: median ${minutes(0.5)}, longest ${waits.at(-1) ?? 0}\n`,
  );
  expect({ seed, falseStops, missedStops }).toEqual({ seed, falseStops: [], missedStops: [] });
  expect(waits.length).toBeGreaterThan(300);
  expect(warnings).toBeGreaterThan(waits.length);
});

test('the same life is judged the same: nothing but its input is looked at', () => {
  const [one] = fc.sample(timelines, { numRuns: 1, seed: 7 });
  if (!one) throw new Error('no life');
  expect(live(one)).toEqual(live(one));
});

describe('the watch over these lives sees what it should', () => {
  const calm: Stretch = {
    ...{ minutes: 60, work: null, failure: null, held: false },
    ...{ touched: false, jumpMinutes: 0, snoozeMinutes: 0 },
  };
  const life = (...stretches: Partial<Stretch>[]) =>
    live({ idleTimeoutMinutes: 10, graceMinutes: 2, stretches: stretches.map((one) => ({ ...calm, ...one })) });

  test.each<[string, Partial<Stretch>[], number[]]>([
    ['nothing at all', [{}], [12]],
    ['work that ends', [{ minutes: 30, work: 'gpu' }, {}], [12]],
    ['work without end', [{ work: 'custom' }], []],
    ['a lease without end', [{ held: true, failure: 'unreachable' }], []],
    ['looks that fail', [{ failure: 'gpu_hangs' }], []],
    ['looks that fail for a while', [{ minutes: 9 }, { minutes: 20, failure: 'cut_off' }, {}], [32]],
    ['a snooze', [{ snoozeMinutes: 30 }], [32]],
    ['a clock that jumps far', [{ minutes: 3 }, { jumpMinutes: 10_000 }], [12]],
    ['two lives', [{}, { work: 'cpu' }, {}], [12, 12]],
  ])('%s', (_, stretches, waits) => {
    expect(life(...stretches)).toMatchObject({ waits, falseStops: [], missedStops: [] });
  });

  const some = fc.sample(timelines, { numRuns: 60, seed: 1 });
  const REST = values({ processes: [{ name: 'trainer', count: 0 }], custom: 'idle' });
  test.each<[string, (input: IdleInput) => Judgement, 'falseStops' | 'missedStops']>([
    ['takes every look for rest', (input) => judge({ ...input, probe: REST }), 'falseStops'],
    ['forgets who holds the machine', (input) => judge({ ...input, holders: [] }), 'falseStops'],
    ['forgets the snooze', (input) => judge({ ...input, snoozedUntil: null }), 'falseStops'],
    ['does not warn', (input) => withoutWarning(judge(input)), 'falseStops'],
    ['never stops', (input) => ({ ...judge(input), next: 'none' }), 'missedStops'],
    ['begins anew with each look', (input) => judge({ ...input, clocks: null }), 'missedStops'],
  ])('a rule that %s is found out', (_, rule, what) => {
    expect(some.flatMap((timeline) => live(timeline, rule)[what]).length).toBeGreaterThan(1);
  });
});

function withoutWarning(judged: Judgement): Judgement {
  return judged.next === 'warn' ? { ...judged, next: 'stop' } : judged;
}
