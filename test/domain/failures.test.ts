// The table of errors: every type has words that can be filled, a status that callers know, and no surprises in its code.
import fc from 'fast-check';
import type { FailureType } from '../../domain/failures.ts';
import { FAILURES } from '../../domain/failure-table.ts';
import { capped, Failure, failureRow, failureText, isFailureType } from '../../domain/failures.ts';
import { TASK_REASONS } from '../../domain/task.ts';
import { unstorable } from '../../domain/text.ts';

const TYPES = Object.keys(FAILURES).filter(isFailureType);
const STATUSES = [400, 403, 404, 405, 409, 412, 413, 422, 500, 503];
/** Different causes that mean the same to a caller: the target is in use, or refuses in its state. */
const SAME_CODE: Readonly<Record<string, readonly FailureType[]>> = {
  conflict: ['LeaseConflict', 'LeaseLost', 'CloudConflict'],
};

const namesIn = (type: FailureType) =>
  [...failureRow(type).text.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name ?? '');

test.each(TYPES)('%s has words that can be filled', (type) => {
  const { code, status, text, reason } = failureRow(type);
  expect(text).not.toBe('');
  for (const name of namesIn(type)) expect(name).toMatch(/^\w+$/);
  const details = Object.fromEntries(namesIn(type).map((name) => [name, `<${name}>`]));
  const filled = failureText(type, details);
  expect(filled).not.toMatch(/[{}]/);
  for (const name of namesIn(type)) expect(filled).toContain(`<${name}>`);
  expect(new Failure(type, details).message).toBe(filled);
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  expect(STATUSES).toContain(status);
  if (reason !== undefined) expect(TASK_REASONS).toContain(reason);
});

test('a code belongs to one type, but for the conflicts', () => {
  const byCode = new Map<string, FailureType[]>();
  for (const type of TYPES) byCode.set(failureRow(type).code, [...(byCode.get(failureRow(type).code) ?? []), type]);
  const several = Object.fromEntries([...byCode].filter(([, types]) => types.length > 1));
  expect(several).toEqual(SAME_CODE);
});

test('what can be retried is out of reach or asks for patience, and nothing that is refused can', () => {
  for (const type of TYPES) {
    const { retryable, status } = failureRow(type);
    expect([type, retryable]).toEqual([type, status === 503]);
  }
  expect(['TargetNotFound', 'CloudInvalid', 'CloudAuth'].filter((name) => isFailureType(name)).length).toBe(3);
});

test('the types that callers know by name are there, with the words and numbers of the contract', () => {
  const id = 'x';
  expect(failureText('UnknownOperation', { operation: 'nope', available: "['a']" })).toBe(
    "Unknown operation 'nope'. Available: ['a']",
  );
  expect(failureText('MissingParams', { operation: 'op', missing: "['a', 'b']" })).toBe(
    "Missing required params for 'op': ['a', 'b']",
  );
  expect(failureText('TaskNotFound', { id })).toBe("Task 'x' not found.");
  expect(failureText('NotAwaitingConfirmation', { id })).toBe(
    "Task 'x' is not awaiting confirmation (it may not exist, have already completed, or timed out).",
  );
  expect(failureText('NotTerminable', { id })).toBe(
    "Task 'x' could not be terminated (unknown, already finished, or in a terminal state).",
  );
  const statuses = ['UnknownOperation', 'MissingParams', 'TaskNotFound', 'NotAwaitingConfirmation', 'NotTerminable'];
  expect(statuses.filter((name) => isFailureType(name)).map((type) => failureRow(type).status)).toEqual([
    400, 422, 404, 409, 409,
  ]);
  for (const name of ['ConfirmationRejected', 'ConfirmationTimeout', 'TaskTimeout', 'TaskTerminated']) {
    expect(isFailureType(name)).toBe(true);
  }
});

test('only names of the table are types', () => {
  for (const name of ['', 'toString', '__proto__', 'constructor', 'taskTimeout', null, undefined]) {
    expect(isFailureType(name)).toBe(false);
  }
});

test('a detail is put in as it is, braces and dollar signs included; an absent one leaves nothing', () => {
  expect(failureText('TaskNotFound', { id: "{id} $& $1 '" })).toBe("Task '{id} $& $1 '' not found.");
  expect(failureText('TaskNotFound')).toBe("Task '' not found.");
  expect(failureText('TaskTimeout', { id: 'x', seconds: 0 })).toBe("Task 'x' exceeded timeout of 0s.");
});

describe('capped', () => {
  test.each([
    ['', ''],
    ['short', 'short'],
    ['x'.repeat(2_000), 'x'.repeat(2_000)],
    ['x'.repeat(2_001), `${'x'.repeat(2_000)} … (2001 characters)`],
    ['a\0b', 'ab'],
  ])('keeps what fits', (text, expected) => {
    expect(capped(text)).toBe(expected);
  });

  test('whatever comes from outside comes out short and storable', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary', minLength: 1_990, maxLength: 2_010 }),
      fc.constant(`${'x'.repeat(1_999)}\u{1f600}`),
      fc.constant('\ud800'),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(capped(text).length).toBeLessThan(2_050);
        expect(unstorable(capped(text))).toBeUndefined();
        expect(unstorable(new Failure('PlanRefused', { why: text }).message)).toBeUndefined();
      }),
    );
  });
});
