// The text that the audit chain hashes covers an event to the last leaf, its place and the one before it.
import fc from 'fast-check';
import { eventText, GENESIS_HASH, sealText } from '../../domain/event.ts';
import { changedAt, copied, event, leavesOf, turned } from './values.ts';

test.each(leavesOf(event).map((path) => [path.join('.'), path] as const))('covers %s', (_, path) => {
  expect(eventText(changedAt(event, path))).not.toBe(eventText(event));
});

test('the fields of the detail are among what is covered', () => {
  expect(Object.keys(event.detail).sort()).toEqual(
    ['approveBy', 'decision', 'error', 'outcomes', 'plan', 'result', 'says', 'waitsFor'].sort(),
  );
  expect(leavesOf(event).length).toBeGreaterThan(40);
});

test('a field that is taken away is seen', () => {
  for (const name of Object.keys(event.detail)) {
    const rest = Object.fromEntries(Object.entries(event.detail).filter(([key]) => key !== name));
    expect(eventText({ ...event, detail: { says: '', ...rest } })).not.toBe(eventText(event));
  }
});

test('reads the same after a way through a column that sorts its keys', () => {
  const back = copied({ ...event, detail: copied(event.detail) });
  expect(eventText(back)).toBe(eventText(event));
  expect(JSON.parse(eventText(event))).toEqual(copied(turned(JSON.parse(JSON.stringify(event)))));
});

test('a seal covers the former hash and the position', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-f]{64}$/), fc.nat(), (hash, at) => {
      expect(sealText(hash, at, event)).not.toBe(sealText(hash, at + 1, event));
      expect(sealText(hash, at, event)).not.toBe(sealText(`${hash}0`, at, event));
      expect(sealText(hash, at, event).endsWith(eventText(event))).toBe(true);
    }),
  );
  expect(GENESIS_HASH).toMatch(/^0{64}$/);
});
