// What can be stored and searched for, and that nothing handed in by hand gets past the checks of a task's input.
import fc from 'fast-check';
import { Failure } from '../../domain/failures.ts';
import { instanceIdOf, isInstanceId, targetOf } from '../../domain/instance.ts';
import { searchValue } from '../../domain/search.ts';
import { parseTaskInput } from '../../domain/task-input.ts';
import type { Json } from '../../domain/task.ts';
import { allStorable, DEEPEST_JSON, isTime, storable, unstorable } from '../../domain/text.ts';
import { anyJson } from './values.ts';

const nested = (depth: number, core: Json): Json => {
  let value = core;
  for (let left = depth; left > 0; left -= 1) value = left % 2 === 0 ? [value] : { a: value };
  return value;
};

describe('unstorable', () => {
  test.each([
    ['plain values', [null, true, 0, -1.5, '', 'ä🎵', {}, []], undefined],
    ['a NUL', 'a\0b', []],
    ['a lone high surrogate', '\ud800', []],
    ['a lone low surrogate', 'x\udc00y', []],
    ['a NUL deep inside', { a: [1, { b: '\0' }] }, ['a', 1, 'b']],
    ['a key with a NUL', { a: { 'k\0': 1 } }, ['a']],
    ['a key with a lone surrogate', [{ '\ud800': 1 }], [0]],
    ['no number', [Number.NaN], [0]],
    ['no end', { n: Number.POSITIVE_INFINITY }, ['n']],
  ])('%s', (_, value, path) => {
    expect(unstorable(value)?.path).toEqual(path);
  });

  test('depth is allowed up to the bound, and far beyond it nothing overflows', () => {
    expect(unstorable(nested(DEEPEST_JSON, 1))).toBeUndefined();
    expect(unstorable(nested(DEEPEST_JSON + 1, 1))?.why).toMatch(/nested deeper than 32/);
    expect(unstorable(nested(100_000, 1))?.why).toMatch(/nested deeper/);
  });

  test('a flaw is found wherever it stands, with the path to it', () => {
    const key = fc.oneof(fc.constantFrom('a', 'b', '__proto__x'), fc.nat(0));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 20 }), fc.constantFrom('\0', '\udbff', 'ok\udc00'), (path, bad) => {
        let value: Json = bad;
        for (const part of path.toReversed()) value = typeof part === 'number' ? [value] : { z: 1, [part]: value };
        expect(unstorable(value)?.path).toEqual(path);
      }),
    );
  });

  test('agrees with what a round trip through UTF-8 keeps', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = JSON.stringify(value);
        const kept = !/\\u0000/.test(text) && Buffer.from(text).toString() === text && !/\\ud[89a-f]/.test(text);
        expect(unstorable(value) === undefined).toBe(kept);
      }),
    );
  });
});

test('storable makes any text storable and leaves a storable one as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(unstorable(storable(text))).toBeUndefined();
      if (unstorable(text) === undefined) expect(storable(text)).toBe(text);
    }),
  );
});

test('allStorable makes any JSON storable, keys too, and leaves what is storable as it is', () => {
  expect(allStorable({ 'k\0': ['a\0b', '\ud800', 1, null], said: String.raw`\u0000` })).toEqual({
    k: ['ab', '\ufffd', 1, null],
    said: String.raw`\u0000`,
  });
  fc.assert(
    fc.property(anyJson, (value) => {
      expect(unstorable(allStorable(value))).toBeUndefined();
      if (unstorable(value) === undefined) expect(allStorable(value)).toEqual(value);
    }),
  );
});

test.each([
  ['2030-01-01T00:00:00.000Z', true],
  ['2030-01-01T00:00:00+02:00', true],
  ['2030-01-01T00:00Z', true],
  ['2030-01-01', false],
  ['1', false],
  ['2030-13-01T00:00:00Z', false],
  ['+275760-09-13T00:00:00.000Z', false],
  ['0000-01-01T00:00:00.000Z', false],
  ['9999-12-31T23:59:59-23:00', false],
  ['2030-01-01T00:00:00Z (\ud800)', false],
  [0, false],
  [null, false],
])('%j is a time that can be stored: %s', (value, expected) => {
  expect(isTime(value)).toBe(expected);
});

describe('searchValue', () => {
  const bytes = (text: string) => Buffer.byteLength(text);

  test.each([['' /* empty */], ['prod'], ['x'.repeat(255)], ['é'.repeat(127)]])('%j fits as it is', (text) => {
    expect(searchValue(text)).toBe(text);
  });

  test('a longer one is cut to 255 bytes of whole characters, with a hash as its tail', () => {
    for (const text of ['x'.repeat(256), 'é'.repeat(128), '🎵'.repeat(64), `${'x'.repeat(245)}🎵🎵🎵🎵`]) {
      expect(searchValue(text)).toMatch(/~[0-9a-f]{8}$/);
      expect(searchValue(text).isWellFormed()).toBe(true);
      expect(bytes(searchValue(text))).toBeGreaterThan(251);
    }
  });

  test('never too long, always the beginning of the text, the same each time', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.string({ unit: 'grapheme', minLength: 200 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const value = searchValue(text);
        expect(bytes(value)).toBeLessThanOrEqual(255);
        expect(value).toBe(searchValue(text));
        expect(text.startsWith(value === text ? value : value.slice(0, -9))).toBe(true);
        expect(value === text).toBe(bytes(text) <= 255);
      }),
    );
  });

  test('texts that differ only behind the cut stay distinct', () => {
    const values = Array.from({ length: 5_000 }, (_, index) => searchValue(`${'x'.repeat(300)}${index}`));
    expect(new Set(values).size).toBe(5_000);
  });
});

describe('parseTaskInput', () => {
  const input = { operation: 'delete_instance', resource: 'prod', params: { instance_id: 'vm' } };

  test('three fields are enough, and params may be left out', () => {
    expect(parseTaskInput(input)).toEqual(input);
    expect(parseTaskInput({ operation: 'list_instances', resource: '' }).params).toEqual({});
  });

  test('keeps what it knows and drops the rest', () => {
    const known = {
      ...input,
      tenant: 'default',
      requestedBy: 'alice',
      submittedAt: '2030-01-01T00:00:00.000Z',
      fingerprint: 'f',
      risk: 'high',
      withoutSearchAttributes: true,
    };
    expect(parseTaskInput({ ...known, effect: 'read', terms: {}, confirmMs: 1 })).toEqual(known);
  });

  test.each([
    [undefined, /must be an object/],
    [null, /must be an object/],
    [[input], /must be an object/],
    [{ ...input, operation: 7 }, /"operation"/],
    [{ ...input, resource: null }, /"resource"/],
    [{ ...input, params: [] }, /"params"/],
    [{ ...input, params: null }, /"params"/],
    [{ ...input, risk: 'none' }, /"risk"/],
    [{ ...input, tenant: '' }, /"tenant"/],
    [{ ...input, tenant: 'x'.repeat(256) }, /"tenant" must be at most 255/],
    [{ ...input, requestedBy: 5 }, /"requestedBy"/],
    [{ ...input, submittedAt: 'yesterday' }, /"submittedAt"/],
    [{ ...input, submittedAt: '+275760-09-13T00:00:00.000Z' }, /"submittedAt"/],
    [{ ...input, resource: 'a\0' }, /input\.resource contains a NUL/],
    [{ ...input, params: { a: ['\ud800'] } }, /input\.params\.a\.0 contains a lone surrogate/],
    [{ ...input, params: nested(40, 1) }, /nested deeper/],
  ])('%j is refused', (raw, says) => {
    expect(() => parseTaskInput(raw)).toThrow(says);
  });

  test('rubbish is refused in words or parsed, never anything else', () => {
    const rubbish = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
      fc.record({ operation: fc.anything(), resource: fc.anything(), params: fc.anything() }, { requiredKeys: [] }),
      fc.record({ operation: fc.string(), resource: fc.string(), params: fc.object(), tenant: fc.anything() }),
    );
    let parsed = 0;
    fc.assert(
      fc.property(rubbish, (raw) => {
        try {
          expect(typeof parseTaskInput(raw).operation).toBe('string');
          parsed += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          expect(error).toMatchObject({ type: 'InvalidRequest' });
        }
      }),
      { numRuns: 2_000 },
    );
    expect(parsed).toBeGreaterThan(0);
  });
});

describe('instances', () => {
  test.each([
    ['i-0123abcd', true],
    ['i-0123456789abcdef0', true],
    ['i-0123456789abcdef', false],
    ['I-0123abcd', false],
    ['i-0123abcg', false],
    ['i-0123abcd\n', false],
    ['vm-prod-01', false],
  ])('%j is an instance id: %s', (text, expected) => {
    expect(isInstanceId(text)).toBe(expected);
  });

  test('a target leads back to its instance', () => {
    expect(targetOf('eu-west-1', 'i-0123abcd')).toBe('eu-west-1/i-0123abcd');
    expect(instanceIdOf('eu-west-1/i-0123abcd')).toBe('i-0123abcd');
  });
});
