// The turns of the cost ledger: what two looks at an instance show of the time between them.
import type { InstanceState } from '../../domain/instance.ts';
import { ledgerTurn } from '../../domain/ledger.ts';

const LAUNCH = '2026-01-01T08:00:00.000Z';
const SEEN = '2026-01-01T09:00:00.000Z';
const AGAIN = '2026-01-01T11:00:00.000Z';
const NOW = { closeAt: null, openAt: null };

test.each<[InstanceState, string, InstanceState, string, ReturnType<typeof ledgerTurn>]>([
  ['running', LAUNCH, 'running', LAUNCH, undefined],
  ['running', LAUNCH, 'stopped', LAUNCH, NOW],
  ['pending', LAUNCH, 'running', LAUNCH, NOW],
  // Stopped and started while nobody looked: between the look before and the launch it is not known to have run.
  ['running', LAUNCH, 'running', AGAIN, { closeAt: SEEN, openAt: AGAIN }],
  ['running', LAUNCH, 'pending', AGAIN, { closeAt: SEEN, openAt: AGAIN }],
  ['stopped', LAUNCH, 'running', AGAIN, { closeAt: AGAIN, openAt: AGAIN }],
  ['stopped', LAUNCH, 'stopped', AGAIN, undefined],
  // A launch that is no later than the look before says nothing about the time between.
  ['running', '2026-01-01T07:00:00.000Z', 'running', LAUNCH, undefined],
  ['pending', '2026-01-01T07:00:00.000Z', 'running', LAUNCH, NOW],
])('%s since %s, then %s since %s', (before, launched, state, launchedAt, turn) => {
  const known = { state: before, type: 'm5.large', launchedAt: launched, observedAt: SEEN };
  expect(ledgerTurn(known, { state, type: 'm5.large', launchedAt })).toEqual(turn);
});

test('another type is another stretch', () => {
  const known = { state: 'running', type: 'm5.large', launchedAt: LAUNCH, observedAt: SEEN } as const;
  expect(ledgerTurn(known, { state: 'running', type: 'm5.xlarge', launchedAt: LAUNCH })).toEqual(NOW);
});

test('what runs when it is first seen has run since the cloud started it', () => {
  const known = { state: null, type: null, launchedAt: null, observedAt: null };
  const first = (state: InstanceState) => ledgerTurn(known, { state, type: 'm5.large', launchedAt: LAUNCH });
  expect(first('running')).toEqual({ closeAt: null, openAt: LAUNCH });
  expect(first('stopped')).toEqual(NOW);
});
