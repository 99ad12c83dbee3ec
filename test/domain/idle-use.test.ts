// What counts as use, what cannot be told, and what counts for a while only: one value of a probe changed at a time.
import type { IdlePolicy } from '../../domain/idle-policy.ts';
import type { ProbeValues } from '../../domain/probe.ts';
import { evidenceOf } from '../../domain/use.ts';
import { durationText, spanText } from '../../domain/span.ts';
import { Watch, gpus, policy, values } from './looks.ts';

const HOUR_MS = 3_600_000;

test.each<
  [
    keyof ReturnType<typeof evidenceOf> & ('busy' | 'unknown' | 'idle'),
    Partial<ProbeValues>,
    string,
    Partial<IdlePolicy>?,
  ]
>([
  ['busy', { gpu: gpus([0, 5]) }, 'GPU 1 at 5 % (5 % counts)'],
  ['idle', { gpu: gpus([4]) }, 'GPU 0 at 4 %'],
  ['idle', { gpu: { kind: 'none' } }, 'no GPU'],
  ['unknown', { gpu: { kind: 'unreadable', why: 'gone' } }, 'GPUs cannot be read: gone'],
  ['unknown', { gpu: gpus([null], 1) }, 'GPU 0 does not tell its utilisation'],
  ['busy', { cpuPercent: 20 }, 'CPU at 20 %, 0.8 of 4 cores (20 % counts)'],
  ['idle', { cpuPercent: 19.94 }, 'CPU at 19.9 %, 0.8 of 4 cores'],
  ['busy', { cpuPercent: 1, cpuCores: 96 }, 'CPU at 1 %, 1 of 96 cores (0.9 cores count)'],
  ['idle', { cpuPercent: 30, cpuCores: null }, 'CPU at 30 %', { cpuBusyPercent: null }],
  ['unknown', { cpuPercent: null }, 'CPU cannot be read'],
  ['busy', { networkBytesPerSecond: 1_000_000 }, 'network at 1 MB/s (1 MB/s counts)'],
  ['idle', { networkBytesPerSecond: 999_000 }, 'network at 1 MB/s'],
  ['unknown', { networkBytesPerSecond: null }, 'network cannot be read'],
  ['busy', { jobHeartbeatAgeS: 180 }, 'youngest heartbeat of a job 3m ago'],
  ['idle', { jobHeartbeatAgeS: 181 }, 'youngest heartbeat of a job 3m ago'],
  ['busy', { runsInFlight: 1 }, '1 command in flight'],
  ['unknown', { runsInFlight: null }, 'commands in flight cannot be read'],
  ['busy', { processes: [{ name: 'train', count: 2 }] }, '2 processes named train', { processNames: ['train'] }],
  ['idle', { processes: [{ name: 'train', count: 0 }] }, 'no process named train', { processNames: ['train'] }],
  ['unknown', {}, 'processes named train were not looked for', { processNames: ['train'] }],
  ['busy', { custom: 'busy' }, "the member's command says busy"],
  ['idle', { custom: 'idle' }, "the member's command says idle"],
  ['unknown', { custom: 'unknown', customSays: 'eh' }, "the member's command says neither busy nor idle: eh"],
  ['unknown', { logins: null }, 'logins cannot be read'],
  ['unknown', { complete: false }, 'the answer of the probe broke off'],
])('%s: %j says "%s"', (speaksFor, change, sentence, changedPolicy = {}) => {
  const evidence = evidenceOf(values(change), policy(changedPolicy));
  expect(evidence[speaksFor]).toContain(sentence);
  const [busy, unknown] = [speaksFor === 'busy' ? 1 : 0, speaksFor === 'unknown' ? 1 : 0];
  expect([evidence.busy.length, evidence.unknown.length]).toEqual([busy, unknown]);
});

test('evidence that is switched off counts neither way, even when it cannot be read', () => {
  const off = { gpuBusyPercent: null, cpuBusyPercent: null, cpuBusyCores: null, networkBusyBytesPerSecond: null };
  const unread = values({ gpu: { kind: 'unreadable', why: 'gone' }, cpuPercent: null, networkBytesPerSecond: null });
  const blind = { ...unread, logins: null };
  expect(evidenceOf(blind, policy({ ...off, loginsCount: false }))).toMatchObject({ busy: [], unknown: [], idle: [] });
  expect(evidenceOf(blind, policy()).unknown).toHaveLength(4);
});

test("the member's command cannot force a stop: other work is work", () => {
  const watch = new Watch({ probe: values({ custom: 'idle', gpu: gpus([50]) }) });
  expect(watch.look(1)).toMatchObject({
    verdict: 'busy',
    reasons: expect.arrayContaining([expect.stringMatching(/^GPU 0 at 50/)]),
  });
});

test('one thing at work outweighs another that cannot be read', () => {
  const watch = new Watch({ probe: values({ cpuPercent: 99, gpu: { kind: 'unreadable', why: 'gone' } }) });
  expect(watch.look(1)).toMatchObject({ verdict: 'busy', clocks: { unknownMs: 0 } });
});

describe('a GPU that is held and not used', () => {
  const held = values({ gpu: gpus([0, 0], 2) });

  test('counts for six hours since it was last used, and says how long still', () => {
    const watch = new Watch({ probe: held });
    expect(watch.look(1).reasons[0]).toBe('2 processes on a GPU without using it; counts for another 5h 59m');
    expect(watch.minutes(358)).toMatchObject({ verdict: 'busy' });
    const over = watch.look(1);
    expect(over).toMatchObject({ verdict: 'idle', clocks: { idleMs: 60_000 } });
    expect(over.reasons).toContain('2 processes on a GPU without using it for 6h, which no longer counts');
    expect(watch.look(1, { probe: values({ gpu: gpus([0, 7], 2) }) }).verdict).toBe('busy');
    expect(watch.look(1, { probe: held })).toMatchObject({ verdict: 'busy', clocks: { contextMs: 60_000 } });
  });

  test('counts always or never where the policy says so', () => {
    const always = new Watch({ probe: held, policy: policy({ gpuContextCounts: 'always' }) });
    expect(always.minutes(500).verdict).toBe('busy');
    const never = new Watch({ probe: held, policy: policy({ gpuContextCounts: 'never' }) });
    expect(never.look(1)).toMatchObject({ verdict: 'idle' });
  });

  test('counts from anew when it was let go, and is not forgotten while the GPUs cannot be read', () => {
    const watch = new Watch({ probe: held });
    watch.minutes(100);
    const unread = watch.look(1, { probe: values({ gpu: { kind: 'unreadable', why: 'gone' } }) });
    expect(unread.clocks.contextMs).toBe(100 * 60_000);
    expect(watch.look(1, { probe: values() }).clocks.contextMs).toBe(0);
  });
});

test('logins count by themselves for half a day, and other use gives them another', () => {
  const watch = new Watch({ probe: values({ logins: 1 }) });
  expect(watch.look(1).reasons[0]).toBe('1 login; alone they count for another 11h 59m');
  watch.minutes(600);
  expect(watch.look(1, { holders: ['task-1'] }).clocks.loginsMs).toBe(0);
  expect(watch.minutes(719, { holders: [] })).toMatchObject({
    verdict: 'busy',
    clocks: { loginsMs: 12 * HOUR_MS - 60_000 },
  });
  expect(watch.look(1).reasons).toContain('1 login and nothing else for 12h, which no longer counts');
  expect(watch.nexts(29).at(-1)).toBe('warn');
});

test('logins that do not count are not asked for', () => {
  const watch = new Watch({ probe: values({ logins: 3 }), policy: policy({ loginsCount: false }) });
  expect(watch.look(1)).toMatchObject({ verdict: 'idle', clocks: { loginsMs: 0 } });
});

test.each([
  [-5, '0m', '0s'],
  [59_999, '0m', '60s'],
  [119_000, '1m', '119s'],
  [2 * HOUR_MS, '2h', '2h'],
  [26 * HOUR_MS + 180_000, '1d 2h 3m', '1d 2h 3m'],
  [24 * HOUR_MS, '1d', '1d'],
])('%d ms is %s, or by the second %s', (ms, duration, span) => {
  expect([durationText(ms), spanText(ms)]).toEqual([duration, span]);
});
