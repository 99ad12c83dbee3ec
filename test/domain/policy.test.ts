// Risk comes from config and only gets stricter; terms, waits and prices follow from plain tables.
import fc from 'fast-check';
import { DEFAULT_IDLE_POLICY } from '../../domain/idle-policy.ts';
import type { Policy } from '../../domain/policy.ts';
import { termsOf } from '../../domain/policy.ts';
import { usdPerHour } from '../../domain/prices.ts';
import { retryDelayMs } from '../../domain/retry.ts';
import type { Risk } from '../../domain/task.ts';
import { riskOf, stricter, unguarded } from '../../domain/risk.ts';

const policy: Policy = {
  risk: { highRiskOperations: ['delete_instance'], allowUnguarded: [] },
  confirmMs: 30_000,
  deadlineMs: 300_000,
  deadlineMsOf: { list_instances: 5_000 },
  maxRetries: 3,
  retryDelayMs: 2_000,
  leaseWaitMs: 600_000,
  undo: 'failure',
  agents: {},
  reachMs: 600_000,
  capacityMs: 900_000,
  provision: { agentAuth: {}, vcsToken: null },
  prices: undefined,
  budgets: { member: null, tenant: null },
  jobs: { keepSuccessMs: 1, keepOtherMs: 1, keepLogMs: 1 },
  idle: { timeScale: 1, keepVerdictsMs: 1, maxSnoozeMin: 60, rule: DEFAULT_IDLE_POLICY },
};

describe('risk', () => {
  test.each([
    ['safe', undefined, 'safe'],
    ['safe', 'safe', 'safe'],
    ['safe', 'high', 'high'],
    ['high', undefined, 'high'],
    ['high', 'safe', 'high'],
    ['high', 'high', 'high'],
  ] as const)('%s and %s make %s', (own, other, expected) => {
    expect(stricter(own, other)).toBe(expected);
  });

  test('is high for exactly the names that config lists', () => {
    expect(riskOf('delete_instance', policy.risk)).toBe('high');
    expect(riskOf('Delete_instance', policy.risk)).toBe('safe');
    expect(riskOf('constructor', policy.risk)).toBe('safe');
  });

  test.each([
    ['destroy', [], [], ['x']],
    ['destroy', ['x'], [], []],
    ['destroy', [], ['x'], []],
    ['destroy', [], ['X'], ['x']],
    ['change', [], [], []],
    ['read', [], [], []],
  ] as const)('%s with %j listed and %j allowed leaves %j unguarded', (effect, listed, allowed, expected) => {
    const risk = { highRiskOperations: listed, allowUnguarded: allowed };
    expect(unguarded([{ name: 'x', effect }], risk)).toEqual(expected);
  });
});

describe('terms', () => {
  test('are those of config, with the deadline of the operation where it has one', () => {
    expect(termsOf({ name: 'delete_instance', effect: 'destroy' }, policy, undefined)).toEqual({
      effect: 'destroy',
      risk: 'high',
      confirmMs: 30_000,
      deadlineMs: 300_000,
      maxRetries: 3,
      retryDelayMs: 2_000,
      leaseWaitMs: 600_000,
      undo: 'failure',
    });
    expect(termsOf({ name: 'list_instances', effect: 'read' }, policy, undefined)).toMatchObject({
      deadlineMs: 5_000,
      risk: 'safe',
    });
  });

  test.each([
    ['failure', 'never'],
    ['failure_and_cancel', 'cancel'],
    ['never', 'never'],
  ] as const)('of an operation that a failure takes nothing back from: %s is %s', (undo, kept) => {
    const stop = { name: 'stop_instance', effect: 'change', keepsOnFailure: true } as const;
    expect(termsOf(stop, { ...policy, undo }, undefined).undo).toBe(kept);
    expect(termsOf({ ...stop, keepsOnFailure: false }, { ...policy, undo }, undefined).undo).toBe(undo);
  });

  test('what was asked for at the door only makes them stricter', () => {
    const asked: (Risk | undefined)[] = [undefined, 'safe', 'high'];
    const risks = (name: string) => asked.map((risk) => termsOf({ name, effect: 'change' }, policy, risk).risk);
    expect(risks('delete_instance')).toEqual(['high', 'high', 'high']);
    expect(risks('stop_instance')).toEqual(['safe', 'safe', 'high']);
  });
});

describe('retry', () => {
  test.each([
    [2_000, 1, 2_000],
    [2_000, 2, 4_000],
    [2_000, 3, 8_000],
    [2_000, 6, 60_000],
    [2_000, 5_000, 60_000],
    [300_000, 1, 300_000],
    [300_000, 9, 300_000],
  ])('base %d, retry %d: %d ms in the middle', (base, retry, expected) => {
    expect(retryDelayMs(base, retry, 0.5)).toBe(expected);
  });

  test('stays within ten per cent, is finite, and uses the whole width', () => {
    const base = fc.integer({ min: 1, max: 3_600_000 });
    const retry = fc.integer({ min: 1, max: 10_000 });
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(base, retry, chance, (ms, number, random) => {
        const middle = Math.min(ms * 2 ** (number - 1), Math.max(60_000, ms));
        const delay = retryDelayMs(ms, number, random);
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(middle * 0.9));
        expect(delay).toBeLessThanOrEqual(Math.ceil(middle * 1.1));
      }),
    );
    expect(retryDelayMs(10_000, 1, 0)).toBe(9_000);
    expect(retryDelayMs(10_000, 1, 0.999_999)).toBe(11_000);
  });
});

describe('prices', () => {
  test.each([
    [[], 0],
    [['t3.micro'], 0.0104],
    [['m5.large', 'm5.large', 'm5.large'], 0.288],
    [['t3.micro', 'unheard.of'], null],
    [['toString'], null],
    [['__proto__'], null],
  ])('%j cost %s', (types, expected) => {
    expect(usdPerHour(types)).toBe(expected);
  });

  test('half a sum is no sum, in any order', () => {
    const types = fc.array(fc.oneof(fc.constantFrom('t3.micro', 'p5.48xlarge', 'g5.xlarge'), fc.string()));
    fc.assert(
      fc.property(types, (list) => {
        const sum = usdPerHour(list);
        expect(usdPerHour(list.toReversed())).toBe(sum);
        expect(sum === null).toBe(list.some((type) => usdPerHour([type]) === null));
      }),
    );
  });
});
