// The tries of a job in a row: what begins the count anew, how long the pauses are, and when it is given up.
import type { LaunchEnd } from '../../domain/job.ts';
import type { Round, Tries } from '../../domain/job-tries.ts';
import { askAgainAfter, isGivenUp, NO_TRIES, pauseAfter, triesAfter } from '../../domain/job-tries.ts';

const cut: LaunchEnd = { kind: 'interrupted', why: 'booted again', begun: true, stopped: false };
const never: LaunchEnd = { ...cut, begun: false };
const HOUR_MS = 3_600_000;
const after = (rounds: number, round: Round) =>
  Array.from({ length: rounds }).reduce<Tries>((tries) => triesAfter(tries, round), NO_TRIES);

test('only a launch that ran for a minute begins the count anew', () => {
  const tries = { inRow: 7, counted: 5 };
  expect(triesAfter(tries, { end: cut, ranMs: 60_000, counts: true })).toEqual(NO_TRIES);
  expect(triesAfter(tries, { end: cut, ranMs: 59_999, counts: true })).toEqual({ inRow: 8, counted: 6 });
  // However long its machine took to get ready, or did not answer.
  expect(triesAfter(tries, { end: never, ranMs: HOUR_MS, counts: true })).toEqual({ inRow: 8, counted: 6 });
  expect(triesAfter(tries, { end: never, ranMs: 0, counts: false })).toEqual({ inRow: 8, counted: 5 });
});

test('the first try comes at once, the others after longer and longer pauses', () => {
  const pauses = [0, 1, 2, 3, 10, 11, 1_000].map((inRow) => pauseAfter({ inRow, counted: 0 }));
  expect(pauses).toEqual([0, 0, 2_000, 4_000, 512_000, 900_000, 900_000]);
});

test('it is given up after thirty tries, and never for a machine that cannot be had', () => {
  const refused: Round = { end: never, ranMs: 0, counts: true };
  const away: Round = { end: never, ranMs: 0, counts: false };
  expect(isGivenUp(after(29, refused), refused)).toBe(false);
  expect(isGivenUp(after(30, refused), refused)).toBe(true);
  expect(isGivenUp(after(1_000, away), away)).toBe(false);
  expect(isGivenUp(triesAfter(after(1_000, away), refused), refused)).toBe(false);
});

test('a machine is asked for more and more seldom, and at least every hour', () => {
  expect([0, 1, 2, 5, 6, 10_000].map(askAgainAfter)).toEqual([
    60_000, 120_000, 240_000, 1_920_000, 3_600_000, 3_600_000,
  ]);
});
