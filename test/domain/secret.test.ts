// Blacking out secrets: in every form in which something prints them, also where the text was cut in the middle of one.
import { redacted, redactedHead, secretName } from '../../domain/secret.ts';

const VALUE = `it's "a" secret/50%`;

test.each([
  ['as it is', VALUE],
  ['in JSON', JSON.stringify(VALUE).slice(1, -1)],
  ['in a URL', encodeURIComponent(VALUE)],
  ['quoted for a shell', VALUE.replaceAll("'", "'\\''")],
])('a value %s', (_, form) => {
  expect(redacted(`x=${form}\ny=${form}`, [VALUE])).toBe('x=[secret]\ny=[secret]');
});

test('each line of a value of several lines, and the longer of two values first', () => {
  expect(redacted('B: second line!', ['first line\nsecond line'])).toBe('B: [secret]!');
  expect(redacted('token-and-more token', ['token', 'token-and-more'])).toBe('[secret] [secret]');
});

test('words that are shorter than four characters stay, and so does all else', () => {
  expect(redacted('yes or no', ['yes', '', ' ', 'or\nno'])).toBe('yes or no');
  expect(redacted('a lone \ud800 stays', ['b \ud800'])).toBe('a lone \ud800 stays');
});

test.each([
  ['none of it', 'the end', 'the end'],
  ['too little to tell', 'the end sec', 'the end sec'],
  ['four characters', 'the end secr', 'the end [secret]'],
  ['all but one', 'the end secret-valu', 'the end [secret]'],
  ['all of it', 'the end secret-value', 'the end [secret]'],
  ['the beginning, and not at the end', 'secret- is the end', 'secret- is the end'],
])('a text that was cut after %s', (_, text, shown) => {
  expect(redactedHead(text, ['secret-value'])).toBe(shown);
});

test('the words for a reference never hold a value', () => {
  expect([{ env: 'A' }, { file: 'b' }, { command: 'c' }].map(secretName)).toEqual([
    'secret from the environment variable FERMATA_SECRET_A',
    'secret file b',
    'secret command c',
  ]);
});

test('a token that nobody remembers is known by its form', () => {
  expect(redacted(`token ghs_${'a1B2'.repeat(9)}, and ghs_short`, [])).toBe('token [secret], and ghs_short');
});
