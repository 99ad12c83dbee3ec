// The wildcards of filters mean the same as the pattern one would write by hand.
import fc from 'fast-check';

import { globOf, matchesGlob } from '../../local/sandbox/glob.ts';

test('a star, a question mark and a backslash before either', () => {
  expect(matchesGlob(globOf('a*c?'), 'abbbcd')).toBe(true);
  expect(matchesGlob(globOf('a*c?'), 'abbbc')).toBe(false);
  expect(matchesGlob(globOf('\\*\\?\\\\'), '*?\\')).toBe(true);
  expect(matchesGlob(globOf('\\*'), 'x')).toBe(false);
  expect(matchesGlob(globOf('?'), '🎵')).toBe(true);
  expect(matchesGlob(globOf(''), '')).toBe(true);
  expect(matchesGlob(globOf('**'), '')).toBe(true);
});

test('any pattern of stars, question marks and letters agrees with a regular expression', () => {
  const letters = (...alphabet: string[]) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 8 });
  fc.assert(
    fc.property(letters('a', 'b', '*', '?'), letters('a', 'b'), (pattern, value) => {
      const source = pattern.replaceAll('*', '.*').replaceAll('?', '.');
      expect(matchesGlob(globOf(pattern), value)).toBe(new RegExp(`^${source}$`, 's').test(value));
    }),
    { numRuns: 2_000 },
  );
});
