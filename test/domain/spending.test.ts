// What is spent as far as prices are known, and what is said of budgets: the same words for as long as nothing changes.
import type { Budget } from '../../domain/budget.ts';
import { budgetWords, judgeBudget } from '../../domain/budget.ts';
import { sessionStart, spentOn, usdOf } from '../../domain/cost.ts';
import { grouped } from '../../domain/grouped.ts';
import { rateOf } from '../../domain/prices.ts';

const HOUR_MS = 3_600_000;

test.each<[string, [number, number | null][], number, boolean, number | null]>([
  ['nothing', [], 0, true, 0],
  [
    'two prices',
    [
      [HOUR_MS, 2],
      [HOUR_MS / 2, 1],
    ],
    2.5,
    true,
    2.5,
  ],
  [
    'a price that is missing',
    [
      [HOUR_MS, 2],
      [HOUR_MS, null],
    ],
    2,
    false,
    null,
  ],
  ['only such', [[HOUR_MS, null]], 0, false, null],
])('%s', (_, times, knownUsd, complete, usd) => {
  const spent = spentOn(times.map(([ms, usdPerHour]) => ({ ms, usdPerHour })));
  expect(spent).toEqual({ knownUsd, complete });
  expect(usdOf(spent)).toBe(usd);
});

test.each([
  ['seen to start', '2030-01-01T10:00:00.000Z', '2030-01-01T09:59:40.000Z', '2030-01-01T10:00:00.000Z'],
  ['started again unseen', '2030-01-01T10:00:00.000Z', '2030-01-01T12:00:00.000Z', '2030-01-01T12:00:00.000Z'],
  ['no launch time', '2030-01-01T10:00:00.000Z', null, '2030-01-01T10:00:00.000Z'],
])('a session: %s', (_, seenAt, launchedAt, expected) => {
  expect(sessionStart(seenAt, launchedAt)).toBe(expected);
});

test('a stretch keeps its price; one without takes the price that is known now', () => {
  const override = { asOf: '2030-01-01', usdPerHour: { 'x9.huge': 7, 'g5.xlarge': 0.9 } };
  const rate = (instanceType: string, usdPerHour: number | null) => rateOf({ instanceType, usdPerHour }, override);
  expect([rate('g5.xlarge', 1.006), rate('g5.xlarge', null), rate('x9.huge', null)]).toEqual([1.006, 0.9, 7]);
  expect([rate('x9.huge', 0), rateOf({ instanceType: 'x9.huge', usdPerHour: null })]).toEqual([0, null]);
});

describe('a budget where prices are missing', () => {
  const budget: Budget = { per: 'day', warnUsd: 10, stopUsd: 20 };

  test.each<[number, boolean, string]>([
    [5, true, 'ok'],
    [5, false, 'warn'],
    [15, false, 'warn'],
    [20, false, 'stop'],
    [20, true, 'stop'],
  ])('%d known, all of it: %p: %s', (knownUsd, complete, level) => {
    expect(judgeBudget(budget, { knownUsd, complete }).level).toBe(level);
  });
});

describe('words', () => {
  const budget: Budget = { per: 'day', warnUsd: 10, stopUsd: 20 };
  const now = '2030-03-31T23:00:00.000Z';
  const later = '2030-03-31T23:59:00.000Z';

  test.each<[Budget, 'warn' | 'stop', boolean, string]>([
    [budget, 'warn', true, 'gpu has used $10.00 of machine time or more in 2030-03-31; the limit is $20.00.'],
    [
      { ...budget, per: 'month', stopUsd: null },
      'warn',
      true,
      'gpu has used $10.00 of machine time or more in 2030-03; there is no limit.',
    ],
    [budget, 'warn', false, 'What gpu has used in 2030-03-31 is not known, so its budget does not hold.'],
    [budget, 'stop', true, 'gpu has reached the limit of $20.00 of machine time for 2030-03-31.'],
    [budget, 'stop', false, 'gpu has reached the limit of $20.00 of machine time for 2030-03-31.'],
  ])('%j %s %p', (kept, level, complete, says) => {
    expect(budgetWords('gpu', kept, { level, complete, now })).toBe(says);
    expect(budgetWords('gpu', kept, { level, complete, now: later })).toBe(says);
  });

  test('change with the day, so that the next day is said again', () => {
    const at = (day: string) => budgetWords('gpu', budget, { level: 'warn', complete: true, now: `${day}T00:00:00Z` });
    expect(at('2030-03-31')).not.toBe(at('2030-04-01'));
  });
});

test('items in groups keep their order', () => {
  const groups = grouped(['a1', 'b1', 'a2'], (item) => item.slice(0, 1));
  expect([...groups]).toEqual([
    ['a', ['a1', 'a2']],
    ['b', ['b1']],
  ]);
});
