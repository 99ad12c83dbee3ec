// Random lives of machines in short: none is stopped while in use, none that is idle is left running; and the watch over them sees.
import type { LifeRecord, Look } from '../kit/life-assess.ts';
import { assess } from '../kit/life-assess.ts';
import type { Situation } from '../kit/life-truth.ts';
import { CALM, rightVerdict } from '../kit/life-truth.ts';
import { LIVES_CONFIG, playLives } from '../kit/lives.ts';
import { randomOf } from '../kit/random.ts';
import type { System } from '../kit/system.ts';
import { startSystem } from '../kit/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ config: LIVES_CONFIG });
}, 60_000);
afterAll(() => system.stop(), 30_000);

test('8 lives: no false stop, no missed stop, every verdict right, no work lost', async () => {
  const random = randomOf();
  const { seed } = random;
  const report = await playLives(system, { count: 8, seconds: 20, longestTimeoutMin: 2, random });
  const { wrong, falseStops, missedStops, lost, others, compared, looks, stops, raced } = report;
  process.stdout.write(
    `lives: seed ${seed}, ${looks} looks, ${compared} verdicts compared, ${stops} stops, ${raced} as use began\n`,
  );
  expect({ seed, wrong, falseStops, missedStops, lost, others }).toEqual({
    ...{ seed, wrong: [], falseStops: [], missedStops: [], lost: [], others: [] },
  });
  expect(compared).toBeGreaterThan(8);
  expect(stops).toBeGreaterThanOrEqual(8);
}, 150_000);

describe('the watch over these lives', () => {
  const S = 1_000;
  const look = (atS: number, verdict: string, next = 'none'): Look => ({ atMs: atS * S, verdict, next, reasons: [] });
  const span = (fromS: number, toS: number, was: Situation | null) => ({ fromMs: fromS * S, toMs: toS * S, was });
  const every = (fromS: number, toS: number, verdict: string) =>
    Array.from({ length: Math.floor((toS - fromS) / 5) + 1 }, (_, index) => look(fromS + index * 5, verdict));
  /** In use for 50 s, then idle; a window of 20 s, a sweep each 5 s. */
  const life = (changes: Partial<LifeRecord>): LifeRecord => ({
    ...{ name: 'one', windowMs: 20 * S, sweepMs: 5 * S, snoozes: [], touches: [], starts: [0] },
    spans: [span(0, 50, { work: 'gpu', blind: null }), span(50, 200, CALM)],
    looks: [...every(1, 46, 'busy'), ...every(51, 71, 'idle')],
    stops: [],
    ...changes,
  });
  const stopAt = (atS: number) => [{ atMs: atS * S, ours: true }];
  const found = (changes: Partial<LifeRecord>) => {
    const { wrong, falseStops, missedStops, raced } = assess(life(changes), 1 * S);
    return { wrong: wrong.length, false: falseStops.length, missed: missedStops.length, raced };
  };
  const fine = { wrong: 0, false: 0, missed: 0, raced: 0 };
  const idleOn = { looks: [...every(1, 46, 'busy'), ...every(51, 196, 'idle')] };

  test.each<[string, Partial<LifeRecord>, Partial<typeof fine>]>([
    ['a stop in its time', { stops: stopAt(72) }, {}],
    ['a stop while it is used', { stops: stopAt(40) }, { false: 1 }],
    ['a stop as use began', { stops: stopAt(3) }, { raced: 1 }],
    [
      'a stop under a command, however young',
      {
        spans: [span(0, 50, { work: 'command', blind: null })],
        stops: stopAt(1),
      },
      { false: 1 },
    ],
    [
      'a stop of what cannot be read',
      { spans: [span(0, 90, { work: null, blind: 'freeze' })], stops: stopAt(60), looks: [] },
      {
        false: 1,
      },
    ],
    ['a stop before its time', { stops: stopAt(60) }, { false: 1 }],
    ['a stop soon after a command', { stops: stopAt(72), touches: [65 * S] }, { false: 1 }],
    [
      'a stop soon after a start',
      { spans: [span(60, 90, CALM)], looks: every(61, 71, 'idle'), starts: [60 * S], stops: stopAt(72) },
      { false: 1 },
    ],
    ['a stop while snoozed', { stops: stopAt(72), snoozes: [{ fromMs: 55 * S, untilMs: 90 * S }] }, { false: 1 }],
    [
      "somebody else's stop",
      {
        stops: [{ atMs: 47 * S, ours: false }],
        spans: [span(0, 47, { work: 'gpu', blind: null })],
        looks: every(1, 46, 'busy'),
      },
      {},
    ],
    ['no stop', idleOn, { missed: 1 }],
    ['no stop while snoozed', { ...idleOn, snoozes: [{ fromMs: 55 * S, untilMs: 200 * S }] }, {}],
    ['nobody looks', { looks: every(1, 46, 'busy') }, { missed: 1 }],
    [
      'a verdict of idle in use',
      { stops: stopAt(72), looks: [...every(1, 46, 'idle'), ...every(51, 71, 'idle')] },
      { wrong: 9 },
    ],
  ])('%s', (_, changes, flaws) => {
    expect(found(changes)).toEqual({ ...fine, ...flaws });
  });

  test.each<[Situation, string]>([
    [{ work: 'command', blind: 'freeze' }, 'busy'],
    [{ work: 'gpu', blind: 'gpu_hang' }, 'unknown'],
    [{ work: 'login', blind: 'gpu_garbage' }, 'busy'],
    [{ work: 'login', blind: 'hang' }, 'unknown'],
    [{ work: 'custom', blind: 'custom_silent' }, 'unknown'],
    [{ work: 'gpu', blind: 'custom_silent' }, 'busy'],
    [{ work: null, blind: 'custom_silent' }, 'unknown'],
    [CALM, 'idle'],
  ])('%j is %s', (situation, verdict) => {
    expect(rightVerdict(situation)).toBe(verdict);
  });
});
