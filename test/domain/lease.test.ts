// The readers-writer rule: who is in whose way, and that granting by it never lets two hold what one wants alone.
import fc from 'fast-check';
import type { Lease, LeaseMode } from '../../domain/lease.ts';
import { inTheWay, nextInLine } from '../../domain/lease.ts';

const lease = (mode: LeaseMode, holder = 'a', target = 't'): Lease => ({ target, mode, holder });

test.each([
  ['shared', 'shared', 0],
  ['shared', 'exclusive', 1],
  ['exclusive', 'shared', 1],
  ['exclusive', 'exclusive', 1],
] as const)('%s is wished, another holds it %s: %d in the way', (wished, held, count) => {
  expect(inTheWay({ target: 't', mode: wished }, 'b', [lease(held)])).toHaveLength(count);
});

test('neither its own lease nor one on another target is in the way', () => {
  const held = [lease('exclusive', 'a', 't'), lease('exclusive', 'c', 'other')];
  expect(inTheWay({ target: 't', mode: 'exclusive' }, 'a', held)).toEqual([]);
  expect(inTheWay({ target: 'T', mode: 'exclusive' }, 'b', held)).toEqual([]);
});

test('everybody in the way is named', () => {
  const held = [lease('shared', 'a'), lease('shared', 'c'), lease('shared', 'b')];
  const holders = inTheWay({ target: 't', mode: 'exclusive' }, 'b', held).map(({ holder }) => holder);
  expect(holders).toEqual(['a', 'c']);
});

test('no order of asking and giving back gives one target to two when one of them holds it alone', () => {
  const act = fc.record({
    holder: fc.constantFrom('a', 'b', 'c', 'd'),
    target: fc.constantFrom('t', 'u'),
    mode: fc.constantFrom<LeaseMode>('shared', 'exclusive'),
    release: fc.boolean(),
  });
  let granted = 0;
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      let held: Lease[] = [];
      for (const { holder, target, mode, release } of acts) {
        const others = held.filter((one) => one.holder !== holder || one.target !== target);
        if (release) held = others;
        else if (inTheWay({ target, mode }, holder, held).length === 0) {
          held = [...others, { holder, target, mode }];
          granted += 1;
        }
        for (const one of held.filter((own) => own.mode === 'exclusive')) {
          expect(held.filter((other) => other.target === one.target)).toEqual([one]);
        }
      }
    }),
  );
  expect(granted).toBeGreaterThan(100);
});

describe('nextInLine', () => {
  const waiter = (asker: string, mode: LeaseMode, minute: number) => ({
    asker,
    mode,
    target: 't',
    since: `2026-01-01T00:0${minute}:00.000Z`,
  });
  const line = [waiter('c', 'shared', 3), waiter('a', 'exclusive', 1), waiter('b', 'shared', 2)];

  test.each([
    ['free: the first, alone because it wants to be', [], line, ['a']],
    ['shared: sharers pass, in their order', [lease('shared', 'x')], line, ['b', 'c']],
    ['held alone: nobody', [lease('exclusive', 'x')], line, []],
    ['free, a sharer first: all sharers together', [], line.filter(({ asker }) => asker !== 'a'), ['b', 'c']],
    ['its own lease is not in its way', [lease('exclusive', 'a')], line, ['a']],
    ['nobody waits', [], [], []],
  ])('%s', (_, held, waiters, askers) => {
    expect(nextInLine(waiters, held).map(({ asker }) => asker)).toEqual(askers);
  });
});
