// One launch of a job: when it is in doubt, and when the next one may follow what its machine says.
import type { LaunchStep } from '../../domain/job-launch.ts';
import { isDoubted, mayFollow } from '../../domain/job-launch.ts';

test.each<[number, LaunchStep, number, boolean]>([
  [0, 'claimed', 1, false],
  [1, 'claimed', 1, false],
  [1, 'sent', 1, true],
  [1, 'begun', 1, true],
  [1, 'begun', 2, false],
  [2, 'sent', 2, true],
])('launch %i, which is %s, when launch %i is wanted', (generation, launch, wanted, doubted) => {
  expect(isDoubted({ generation, launch }, wanted)).toBe(doubted);
});

const seen = (state: string, commandAlive = false, generation = 1) => ({ state, commandAlive, generation });

test.each([
  [2, 1, false, seen('interrupted'), true],
  // The one that is wanted was begun.
  [1, 1, false, seen('interrupted'), false],
  [2, 1, false, seen('interrupted', false, 2), false],
  // It lives, though it was thought to have ended.
  [2, 1, false, seen('running', true), false],
  [2, 2, false, seen('starting'), false],
  [2, 1, true, seen('unknown', true), false],
  // It ended for good just before its machine went.
  [2, 1, false, seen('completed'), false],
  [2, 1, false, seen('failed'), false],
  [2, 1, false, seen('cancelled', false, 0), false],
  // A runner that was lost uses a retry, which is counted by whoever watches it.
  [2, 1, false, seen('unknown'), false],
  [2, 1, true, seen('unknown'), true],
  [2, 2, false, seen('unknown'), true],
])(
  'launch %i, when %i is the newest known, lost runner %j, and the machine has %j',
  (wanted, generation, runnerLost, there, may) => {
    expect(mayFollow(wanted, { generation, runnerLost }, there)).toBe(may);
  },
);
