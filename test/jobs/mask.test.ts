// Stars for secrets in the bytes of a log: nothing moves, and however the log is cut into pieces, nothing shows.
import fc from 'fast-check';
import { maskOf } from '../../activities/job-mask.ts';

const SECRET = 'abcabcabd-"x"';
const mask = maskOf([SECRET, 'pass wörd']);
const hide = (text: string) => mask.hide(Buffer.from(text)).toString();

test.each([
  ['nothing here', 'nothing here'],
  [`a${SECRET}b`, `a${'*'.repeat(SECRET.length)}b`],
  ['pass wörd', '*'.repeat(10)],
  ['{"k":"abcabcabd-\\"x\\""}', `{"k":"${'*'.repeat(15)}"}`],
  ['ghp_0123456789abcdefghijklmno.', `${'*'.repeat(29)}.`],
  ['abcabcabd', 'abcabcabd'],
])('%s', (text, hidden) => {
  expect(hide(text)).toBe(hidden);
});

test('bytes that are no text stay as they are', () => {
  const bytes = Buffer.from([0, 255, 254, 10, 128, 0]);
  expect(mask.hide(bytes).equals(bytes)).toBe(true);
});

test.each([
  ['', 0],
  ['done\n', 0],
  ['...abcabc', 6],
  ['...abcabcab', 8],
  ['...a', 1],
  ['ghs_0123', 8],
  ['a g', 1],
])('the end of %j may be the beginning of a secret: %i bytes', (text, held) => {
  expect(mask.heldBack(Buffer.from(text))).toBe(held);
});

test('cut anywhere, with the end of each piece held back, the pieces are the whole without the secret', () => {
  const words = fc.constantFrom(
    SECRET,
    'abc',
    'a',
    ' ',
    'pass wörd',
    'ghp_0123456789abcdefghijklmno ',
    'g',
    '\n',
    'wörd',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), fc.array(fc.nat({ max: 30 }), { maxLength: 20 }), (parts, cuts) => {
      const whole = Buffer.from(parts.join(''));
      const shipped: Buffer[] = [];
      let from = 0;
      let read = 0;
      const ship = (last: boolean) => {
        const piece = whole.subarray(from, read);
        const held = last ? 0 : mask.heldBack(piece);
        const bytes = mask.hide(piece).subarray(0, piece.length - held);
        shipped.push(bytes);
        from += bytes.length;
      };
      for (const cut of cuts) {
        read = Math.min(whole.length, read + cut);
        ship(false);
      }
      read = whole.length;
      ship(true);
      const seen = Buffer.concat(shipped);
      expect(seen.length).toBe(whole.length);
      const hidden = mask.hide(whole);
      for (const value of [SECRET, 'pass wörd', 'ghp_0123456789abcdefghijklmno']) {
        // A token in the middle of a word is none.
        if (!hidden.includes(value)) expect(seen.includes(value)).toBe(false);
      }
      expect([SECRET, 'pass wörd'].some((value) => hidden.includes(value))).toBe(false);
    }),
  );
});
