// Machine time in money: billed states, sums that are not half, words, warnings and budgets.
import fc from 'fast-check';
import { budgetStart, budgetState } from '../../domain/budget.ts';
import type { Cost, PricedTime, Transition } from '../../domain/cost.ts';
import { billedTime, costOf, costWarnings, isBilled, rateText, usdBetween, usdText } from '../../domain/cost.ts';
import { INSTANCE_STATES } from '../../domain/instance.ts';
import { PRICES_AS_OF, instanceType, priceOf, priceSource, usdPerHour } from '../../domain/prices.ts';

const hour = (count: number) => new Date(Date.parse('2030-01-10T00:00:00.000Z') + count * 3_600_000).toISOString();
const entered = (state: Transition['state'], at: number): Transition => ({ state, at: hour(at) });
const priced = (from: number, to: number | null, usd: number | null = 2): PricedTime => ({
  from: hour(from),
  to: to === null ? null : hour(to),
  usdPerHour: usd,
});

test('running is billed, and stopping only to hibernate', () => {
  expect(INSTANCE_STATES.filter((state) => isBilled({ state }))).toEqual(['running']);
  expect(INSTANCE_STATES.filter((state) => isBilled({ state, hibernates: true }))).toEqual(['running', 'stopping']);
});

test.each<[string, Transition[], [number, number | null][]]>([
  ['nothing known', [], []],
  ['never started', [entered('stopped', 0)], []],
  ['a start that goes on', [entered('pending', 0), entered('running', 1)], [[1, null]]],
  ['a stop', [entered('running', 1), entered('stopping', 4), entered('stopped', 5)], [[1, 4]]],
  [
    'hibernation',
    [entered('running', 1), { ...entered('stopping', 4), hibernates: true }, entered('stopped', 5)],
    [[1, 5]],
  ],
  ['seen running twice', [entered('running', 1), entered('running', 3), entered('stopped', 5)], [[1, 5]]],
  [
    'out of order',
    [entered('stopped', 5), entered('running', 7), entered('running', 1)],
    [
      [1, 5],
      [7, null],
    ],
  ],
  [
    'a reboot by stop and start',
    [entered('running', 1), entered('terminated', 2), entered('running', 3)],
    [
      [1, 2],
      [3, null],
    ],
  ],
])('%s', (_, transitions, expected) => {
  expect(billedTime(transitions)).toEqual(
    expected.map(([from, to]) => ({ from: hour(from), to: to === null ? null : hour(to) })),
  );
});

test('a machine that runs: since its start, and all of it', () => {
  const cost = costOf([priced(0, 3), priced(10, null, 4)], hour(12));
  expect(cost).toMatchObject({ running: true, usdPerHour: 4, sessionMs: 7_200_000, sessionUsd: 8 });
  expect(cost).toMatchObject({ machineMs: 5 * 3_600_000, machineUsd: 14 });
});

test('a stopped machine costs no more hours, however long it stands', () => {
  const later = [4, 400].map((at) => costOf([priced(0, 3)], hour(at)));
  const stopped = {
    running: false,
    usdPerHour: 0,
    sessionMs: 0,
    sessionUsd: 0,
    machineUsd: 6,
  };
  expect(later).toEqual([expect.objectContaining(stopped), expect.objectContaining(stopped)]);
});

test('a price that is not known leaves no half sum', () => {
  const cost = costOf([priced(0, 3), priced(4, null, null)], hour(5));
  expect(cost).toMatchObject({
    usdPerHour: null,
    sessionUsd: null,
    machineUsd: null,
    machineMs: 4 * 3_600_000,
  });
  expect(costOf([priced(0, 3, null), priced(4, null)], hour(5))).toMatchObject({ sessionUsd: 2, machineUsd: null });
});

test('a start is billed for a minute at least, and time that has not come is not', () => {
  const seconds = (count: number) => costOf([priced(0, count / 3600, 60)], hour(5)).machineUsd;
  expect([seconds(1), seconds(60), seconds(90)]).toEqual([1, 1, 1.5]);
  expect(costOf([priced(0, 9)], hour(3))).toMatchObject({ machineUsd: 6 });
  expect(costOf([priced(4, null)], hour(3))).toMatchObject({ sessionMs: 0, sessionUsd: 0 });
});

test('what was spent in a span is spent in its parts', () => {
  const span = fc.tuple(fc.nat(200), fc.nat(50), fc.nat(9)).map(([from, long, usd]) => priced(from, from + long, usd));
  fc.assert(
    fc.property(fc.array(span), fc.nat(250), (stretches, cut) => {
      const [before, after] = [usdBetween(stretches, hour(0), hour(cut)), usdBetween(stretches, hour(cut), hour(300))];
      expect((before ?? NaN) + (after ?? NaN)).toBeCloseTo(usdBetween(stretches, hour(0), hour(300)) ?? NaN, 6);
    }),
  );
  expect(usdBetween([priced(0, null)], hour(1), hour(3))).toBe(4);
  expect(usdBetween([priced(0, 1, null), priced(2, null)], hour(1), hour(3))).toBe(2);
  expect(usdBetween([priced(0, 2, null)], hour(1), hour(3))).toBeNull();
});

test('words for money', () => {
  expect([usdText(0), usdText(1.005), usdText(1234.5), usdText(null)]).toEqual(['$0.00', '$1.00', '$1234.50', '?']);
  expect([rateText(0.526), rateText(98.32), rateText(null)]).toEqual(['$0.526/hr', '$98.320/hr', '?']);
});

describe('warnings', () => {
  const kinds = (cost: Partial<Cost>, lastUseAt: string | null = hour(20)) =>
    costWarnings(
      { running: true, usdPerHour: 1, sessionMs: 3_600_000, sessionUsd: 1, ...cost },
      { type: 'g5.xlarge', lastUseAt, now: hour(20) },
    ).map(({ kind }) => kind);

  test.each<[Partial<Cost>, string[]]>([
    [{}, []],
    [{ usdPerHour: 5 }, []],
    [{ usdPerHour: 5.01 }, ['expensive_rate']],
    [{ usdPerHour: null, sessionUsd: null }, ['unknown_price']],
    [{ sessionUsd: 10 }, []],
    [{ sessionUsd: 10.01 }, ['high_cost']],
    [{ sessionMs: 12 * 3_600_000 }, []],
    [{ sessionMs: 12 * 3_600_000 + 1 }, ['long_session']],
    [{ usdPerHour: 32.77, sessionUsd: 500, sessionMs: 9e7 }, ['expensive_rate', 'high_cost', 'long_session']],
    [{ running: false, usdPerHour: null, sessionUsd: 500, sessionMs: 9e7 }, []],
  ])('%j: %j', (cost, expected) => {
    expect(kinds(cost)).toEqual(expected);
  });

  test.each<[string, number, string | null, string[]]>([
    ['used two hours ago', 5, hour(18), []],
    ['used longer ago', 5, hour(17.9), ['unused']],
    ['never used', 2.1, null, ['unused']],
    ['never used, and not for long', 2, null, []],
    ['used before it was started', 1.5, hour(1), []],
    ['used in the future', 5, hour(99), []],
  ])('%s', (_, hours, lastUseAt, expected) => {
    expect(kinds({ sessionMs: hours * 3_600_000 }, lastUseAt)).toEqual(expected);
  });

  test('say numbers', () => {
    const cost = { running: true, usdPerHour: 32.7726, sessionMs: 90 * 3_600_000, sessionUsd: 2949.534 };
    expect(
      costWarnings(cost, { type: 'p4d.24xlarge', lastUseAt: hour(17), now: hour(20) }).map(({ says }) => says),
    ).toEqual([
      'Expensive instance: $32.773/hr.',
      '$2949.53 since it was started.',
      'Running for 3d 18h.',
      'Running for 3h without being used.',
    ]);
    const unknown = { ...cost, usdPerHour: null, sessionUsd: null, sessionMs: 1 };
    const [warning] = costWarnings(unknown, { type: 'x9.huge', lastUseAt: null, now: hour(20) });
    expect(warning?.says).toBe('The price of x9.huge is not known.');
  });
});

describe('budgets', () => {
  test.each<[number | null, number | null, number | null, string, string]>([
    [null, null, 5, 'ok', 'There is no budget.'],
    [10, 20, 9.99, 'ok', '$9.99 spent today, of $20.00.'],
    [10, 20, 10, 'warn', '$10.00 spent today, more than $10.00; the limit is $20.00.'],
    [10, null, 99, 'warn', '$99.00 spent today, more than $10.00; there is no limit.'],
    [10, 20, 20, 'stop', '$20.00 spent today: the limit of $20.00 is reached.'],
    [null, 20, 19, 'ok', '$19.00 spent today, of $20.00.'],
    [null, 0, 0, 'stop', '$0.00 spent today: the limit of $0.00 is reached.'],
    [10, 20, null, 'warn', 'What was spent today is not known, so no budget holds.'],
  ])('warn at %p, stop at %p, spent %p: %s', (warnUsd, stopUsd, spent, level, says) => {
    expect(budgetState({ per: 'day', warnUsd, stopUsd }, spent)).toEqual({ level, says });
  });

  test('days and months begin in UTC', () => {
    expect(budgetStart('day', '2030-03-31T23:59:59.999Z')).toBe('2030-03-31T00:00:00.000Z');
    expect(budgetStart('month', '2030-03-31T23:59:59.999-05:00')).toBe('2030-04-01T00:00:00.000Z');
    expect(budgetState({ per: 'month', warnUsd: 1, stopUsd: null }, 0).says).toBe('$0.00 spent this month, of $1.00.');
  });
});

describe('prices', () => {
  const override = { asOf: '2026-11-01', usdPerHour: { 'g5.xlarge': 0.9, 'x9.huge': 7 } };

  test('config goes before the table, and says its own date', () => {
    expect(priceOf('g5.xlarge')).toEqual({ usdPerHour: 1.006, asOf: PRICES_AS_OF, region: 'us-east-1' });
    expect(priceOf('g5.xlarge', override)).toEqual({ usdPerHour: 0.9, asOf: '2026-11-01', region: null });
    expect(priceOf('g5.2xlarge', override)).toEqual(priceOf('g5.2xlarge'));
    expect([priceOf('x9.huge'), priceOf('constructor', override)]).toEqual([null, null]);
    expect(usdPerHour(['x9.huge', 'g5.xlarge', 't3.micro'], override)).toBe(7.9104);
  });

  test('a price says which region it is of', () => {
    const [table, own] = [priceOf('t3.micro'), priceOf('x9.huge', override)];
    expect(priceSource(table, 'us-east-1')).toBe('list price of us-east-1 as of 2025-01-15');
    expect(priceSource(table, 'eu-west-1')).toBe(
      'list price of us-east-1 as of 2025-01-15; in eu-west-1 it may differ',
    );
    expect(priceSource(own, 'eu-west-1')).toBe('price of 2026-11-01 from config');
    expect(priceSource(null, 'eu-west-1')).toBe('no price is known');
  });

  test('machines with GPUs say how many and how large', () => {
    expect(instanceType('g5.48xlarge')).toEqual({ usdPerHour: 16.288, memoryGb: 768, gpus: 8, gpuMemoryGb: 24 });
    expect(instanceType('t3.micro')).toEqual({ usdPerHour: 0.0104, memoryGb: 1, gpus: 0, gpuMemoryGb: 0 });
    expect(instanceType('x9.huge')).toBeUndefined();
  });
});
