// The canonical text that a digest and a hash are made of, and what follows from the steps of a plan.
import fc from 'fast-check';
import type { Step, StepCall } from '../../domain/plan.ts';
import { batchesOf, canonical, growingBatches, leasesOf, planText, undoStep } from '../../domain/plan.ts';
import { anyJson, changedAt, copied, DIGEST, draft, leavesOf, step, turned } from './values.ts';

describe('canonical', () => {
  test.each([
    [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
    [{ '10': 1, '9': 2, a: 3, A: 4 }, '{"10":1,"9":2,"A":4,"a":3}'],
    [{ '\u{1f600}': 1, '\uff00': 2 }, '{"\u{1f600}":1,"\uff00":2}'],
    [-0, '0'],
    [1e21, '1e+21'],
    ['"\n', '"\\"\\n"'],
    [{}, '{}'],
    [[], '[]'],
  ])('%j is %s', (value, text) => {
    expect(canonical(value)).toBe(text);
  });

  test('equal values have equal bytes, whatever the order of their keys', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(canonical(turned(value))).toBe(canonical(value));
        expect(canonical(copied(value))).toBe(canonical(value));
      }),
    );
  });

  test('the bytes are the value, so different values have different bytes', () => {
    fc.assert(fc.property(anyJson, (value) => expect(JSON.parse(canonical(value))).toEqual(copied(value))));
  });

  test('the order of a list counts', () => {
    expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
  });
});

describe('planText', () => {
  test.each(leavesOf(draft).map((path) => [path.join('.'), path] as const))('covers %s', (_, path) => {
    expect(planText(changedAt(draft, path))).not.toBe(planText(draft));
  });

  test('has at least the leaves of every field of a step', () => {
    const first = leavesOf(draft.steps[0]).map((path) => path.join('.'));
    expect(first).toEqual(
      expect.arrayContaining(['id', 'batch', 'call', 'target', 'args.key', 'saw.state', 'undo.call', 'says']),
    );
  });

  test('a step more, a step less or another order is another plan', () => {
    const texts = [draft.steps, draft.steps.slice(1), draft.steps.toReversed(), [...draft.steps, step({ id: 'x' })]];
    expect(new Set(texts.map((steps) => planText({ ...draft, steps }))).size).toBe(4);
  });

  test('does not cover the digest, so that a plan can be checked against its own', () => {
    const planned = { ...draft, digest: DIGEST };
    expect(planText(planned)).toBe(planText(draft));
  });
});

const shares: StepCall = 'start_instance';
const changes: readonly StepCall[] = ['stop_instance', 'reboot_instance', 'terminate_instance', 'set_tag'];

describe('leasesOf', () => {
  test.each(changes)('%s needs its target for itself', (call) => {
    expect(leasesOf({ steps: [step({ call, target: 't' })] })).toEqual([{ target: 't', mode: 'exclusive' }]);
  });

  test('a start shares its target, unless another step of the plan changes it', () => {
    expect(leasesOf({ steps: [step({ call: shares, target: 't' })] })).toEqual([{ target: 't', mode: 'shared' }]);
    const both = [step({ call: shares, target: 't' }), step({ call: 'reboot_instance', target: 't' })];
    for (const steps of [both, both.toReversed()]) {
      expect(leasesOf({ steps })).toEqual([{ target: 't', mode: 'exclusive' }]);
    }
  });

  test('every target once, exclusive exactly when something changes it', () => {
    const steps = fc.array(
      fc.record({ call: fc.constantFrom(shares, ...changes), target: fc.constantFrom('a', 'b', 'c', 'd') }),
    );
    fc.assert(
      fc.property(steps, (parts) => {
        const leases = leasesOf({ steps: parts.map(step) });
        expect(leases.map(({ target }) => target).sort()).toEqual([...new Set(parts.map((p) => p.target))].sort());
        for (const { target, mode } of leases) {
          const changed = parts.some((part) => part.target === target && part.call !== shares);
          expect(mode).toBe(changed ? 'exclusive' : 'shared');
        }
      }),
    );
  });
});

describe('batches', () => {
  test.each([
    [0, []],
    [1, [1]],
    [2, [1, 1]],
    [3, [1, 2]],
    [4, [1, 2, 1]],
    [7, [1, 2, 4]],
    [8, [1, 2, 4, 1]],
  ])('%d things grow as %j', (count, expected) => {
    expect(growingBatches(count)).toEqual(expected);
  });

  test('cover everything once, the first alone, none more than twice the one before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (count) => {
        const sizes = growingBatches(count);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
        expect(sizes[0]).toBe(1);
        expect(sizes.every((size) => size > 0)).toBe(true);
        sizes.slice(1).forEach((size, index) => expect(size).toBeLessThanOrEqual(2 * (sizes[index] ?? 0)));
      }),
    );
  });

  test('steps come back batch by batch, each once, in ascending order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 })), (numbers) => {
        const steps: Step[] = numbers.map((batch, index) => step({ id: `s${index}`, batch }));
        const batches = batchesOf(steps);
        expect(batches.map((batch) => new Set(batch.map((one) => one.batch)).size).every((size) => size === 1)).toBe(
          true,
        );
        const order = batches.map((batch) => batch[0]?.batch ?? -1);
        expect(order).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        expect(
          batches
            .flat()
            .map(({ id }) => id)
            .sort(),
        ).toEqual(steps.map(({ id }) => id).sort());
      }),
    );
  });
});

describe('undoStep', () => {
  test('makes the other call on the same target, and cannot be undone itself', () => {
    const undo = undoStep(step());
    expect(undo).toMatchObject({ id: 'stop-i-1-undo', call: 'start_instance', target: 'us-east-1/i-1' });
    expect(undo?.args).toEqual({ force: false });
    expect(undo?.says).toBe('undo of: stop web-1');
    expect(undo && undoStep(undo)).toBeUndefined();
  });

  test('is none where the plan says so', () => {
    expect(undoStep(step({ undo: { none: 'a reboot cannot be taken back' } }))).toBeUndefined();
  });
});
