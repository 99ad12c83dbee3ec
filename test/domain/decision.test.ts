// Who may still decide what, what a signal sent by hand is taken for, and when an approval is too old.
import fc from 'fast-check';
import type { Decidable, Decision } from '../../domain/decision.ts';
import { APPROVAL_GRACE_MS, isStale, parseConfirmSignal, refusalOf } from '../../domain/decision.ts';
import { unstorable } from '../../domain/text.ts';
import { copied, decision, DIGEST, TASK_ID } from './values.ts';

const OTHER = 'e'.repeat(64);
const open: Decidable = { taskId: TASK_ID, awaiting: true, planDigest: DIGEST, decided: undefined };
const approval: Decision = { approve: true, by: 'alice' };
const approved: Decidable = { ...open, awaiting: false, decided: approval };
const rejected: Decidable = { ...open, awaiting: false, decided: { approve: false, by: 'alice' } };

describe('refusalOf', () => {
  test.each([
    ['an approval in time', approval, open, undefined],
    ['a refusal in time', { approve: false, by: 'alice' }, open, undefined],
    ['with the digest in hand', { ...approval, planDigest: DIGEST }, open, undefined],
    ['with another digest', { ...approval, planDigest: OTHER }, open, 'PlanDigestMismatch'],
    [
      'before there is a plan',
      approval,
      { ...open, awaiting: false, planDigest: undefined },
      'NotAwaitingConfirmation',
    ],
    [
      'with a digest before there is a plan',
      { ...approval, planDigest: OTHER },
      { ...open, awaiting: false, planDigest: undefined },
      'NotAwaitingConfirmation',
    ],
    ['of a task that never waited', approval, { ...open, awaiting: false }, 'NotAwaitingConfirmation'],
    ['the same once more', approval, approved, undefined],
    ['the same with the digest once more', { ...approval, planDigest: DIGEST }, approved, undefined],
    ['the same with another digest', { ...approval, planDigest: OTHER }, approved, 'PlanDigestMismatch'],
    ['the same by somebody else', { approve: true, by: 'bob' }, approved, 'AlreadyDecided'],
    ['the opposite by the same', { approve: false, by: 'alice' }, approved, 'AlreadyDecided'],
    ['the opposite by somebody else', { approve: true, by: 'bob' }, rejected, 'AlreadyDecided'],
    [
      'while another is being recorded',
      { approve: false, by: 'bob' },
      { ...approved, awaiting: true },
      'AlreadyDecided',
    ],
  ] satisfies [string, Decision, Decidable, string | undefined][])('%s', (_, wanted, task, expected) => {
    expect(refusalOf(wanted, task)?.type).toBe(expected);
  });

  test('says who decided what', () => {
    expect(refusalOf({ approve: true, by: 'bob' }, rejected)?.details).toEqual({
      id: TASK_ID,
      by: 'alice',
      decision: 'rejected',
    });
    expect(refusalOf({ approve: false, by: 'alice' }, approved)?.details).toMatchObject({ decision: 'approved' });
  });

  test('never lets a decision on another plan through', () => {
    const digests = fc.constantFrom(DIGEST, OTHER, undefined);
    fc.assert(
      fc.property(
        digests,
        digests,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        (given, inHand, approve, awaiting, was) => {
          const wanted = { approve, by: 'alice', ...(given !== undefined && { planDigest: given }) };
          const task = { ...open, awaiting, planDigest: inHand, decided: was ? approval : undefined };
          const refusal = refusalOf(wanted, task);
          if (given !== undefined && inHand !== undefined && given !== inHand) {
            expect(refusal?.type).toBe('PlanDigestMismatch');
          }
          if (!awaiting && !was) expect(refusal).toBeDefined();
        },
      ),
    );
  });

  test.each([
    ['null', 'null'],
    ['a text', '"yes"'],
    ['a verdict that is not a boolean', '{"approve":"yes","by":"alice"}'],
    ['no name', '{"approve":true}'],
    ['an empty name', '{"approve":true,"by":""}'],
    ['a name with a NUL', '{"approve":true,"by":"a\\u0000"}'],
    ['a name without an end', JSON.stringify({ approve: true, by: 'x'.repeat(256) })],
    ['a digest that is a number', '{"approve":true,"by":"alice","planDigest":7}'],
    ['a digest without an end', JSON.stringify({ approve: true, by: 'alice', planDigest: 'x'.repeat(10_000) })],
    ['a digest that cannot be stored', '{"approve":true,"by":"alice","planDigest":"\\ud800"}'],
    ['a comment that cannot be stored', '{"approve":true,"by":"alice","comment":"\\udfff"}'],
    ['a comment without an end', JSON.stringify({ approve: true, by: 'alice', comment: 'x'.repeat(1_001) })],
    ['a time that is none', '{"approve":true,"by":"alice","validUntil":"soon"}'],
  ])('an update sent by hand with %s is refused before it is wished', (_, text) => {
    const wanted: Decision = JSON.parse(text);
    expect(refusalOf(wanted, open)?.type).toBe('InvalidRequest');
  });

  test('what it lets through can be stored', () => {
    const raw = fc.record({
      approve: fc.boolean(),
      by: fc.string({ unit: 'binary', minLength: 1 }),
      comment: fc.string({ unit: 'binary' }),
    });
    fc.assert(
      fc.property(raw, (wanted) => {
        if (!refusalOf(wanted, open)) expect(unstorable(wanted)).toBeUndefined();
      }),
    );
    expect(refusalOf(decision, open)).toBeUndefined();
  });
});

describe('parseConfirmSignal', () => {
  test.each([
    [{ confirmed: true }, { approve: true, by: 'temporal' }],
    [
      { confirmed: false, comment: 'no' },
      { approve: false, by: 'temporal', comment: 'no' },
    ],
    [
      { confirmed: true, plan_digest: DIGEST },
      { approve: true, by: 'temporal', planDigest: DIGEST },
    ],
    [
      { confirmed: true, plan_digest: null, comment: null },
      { approve: true, by: 'temporal' },
    ],
    [
      { confirmed: true, by: 'root', extra: 1 },
      { approve: true, by: 'temporal' },
    ],
    [
      { confirmed: true, comment: 'a\0b' },
      { approve: true, by: 'temporal', comment: 'ab' },
    ],
    [
      { confirmed: true, comment: 'a\ud800' },
      { approve: true, by: 'temporal', comment: 'a\ufffd' },
    ],
  ])('%j', (raw, expected) => {
    expect(parseConfirmSignal(raw)).toEqual(expected);
  });

  test.each([
    [undefined],
    [null],
    [true],
    ['true'],
    [[true]],
    [{}],
    [{ confirmed: 'true' }],
    [{ confirmed: 1 }],
    [{ confirmed: null }],
    [{ confirmed: true, plan_digest: 5 }],
    [{ confirmed: true, comment: {} }],
  ])('%j is ignored, and it says why', (raw) => {
    expect(parseConfirmSignal(raw)).toEqual({ ignored: expect.stringMatching(/must be/) });
  });

  test('rubbish never throws, and never approves', () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withMap: true, withSet: true, withNullPrototype: true }), (raw) => {
        const parsed = parseConfirmSignal(raw);
        const confirmed: unknown = typeof raw === 'object' && raw !== null ? Reflect.get(raw, 'confirmed') : undefined;
        if ('approve' in parsed) expect(parsed.approve).toBe(confirmed);
        else expect(parsed.ignored.length).toBeLessThan(100);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a comment of any length and any characters comes out short and storable', () => {
    const long = fc.string({ unit: 'binary', minLength: 990, maxLength: 1_010 });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), long), (comment) => {
        const parsed = copied(parseConfirmSignal({ confirmed: true, comment }));
        if (!('approve' in parsed)) throw new Error(parsed.ignored);
        expect(unstorable(parsed.comment ?? '')).toBeUndefined();
        expect(parsed.comment?.length).toBeLessThanOrEqual(1_000);
        expect(refusalOf(parsed, open)).toBeUndefined();
      }),
    );
    const cut = parseConfirmSignal({ confirmed: true, comment: `${'x'.repeat(999)}\u{1f600}` });
    expect('comment' in cut && cut.comment?.isWellFormed()).toBe(true);
  });
});

describe('isStale', () => {
  const validUntil = '2030-01-01T00:00:00.000Z';
  const after = (ms: number) => new Date(Date.parse(validUntil) + ms).toISOString();

  test.each([
    [-1, false],
    [0, false],
    [APPROVAL_GRACE_MS, false],
    [APPROVAL_GRACE_MS + 1, true],
    [3_600_000, true],
  ])('%d ms after its time: %s', (ms, expected) => {
    expect(isStale({ ...approval, validUntil }, after(-1e9), after(ms))).toBe(expected);
  });

  test('without a time, the moment at which it was recorded counts', () => {
    expect(isStale(approval, after(0), after(APPROVAL_GRACE_MS))).toBe(false);
    expect(isStale(approval, after(0), after(APPROVAL_GRACE_MS + 1))).toBe(true);
  });
});
