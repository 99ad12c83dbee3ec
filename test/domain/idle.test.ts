// When a machine is warned about and stopped: the promises of `judge`, each with the look that would break it.
import type { IdleInput } from '../../domain/idle-clocks.ts';
import { DEFAULT_IDLE_POLICY, scaledPolicy } from '../../domain/idle-policy.ts';
import type { Probe } from '../../domain/probe.ts';
import { Watch, gpus, minute, policy, values } from './looks.ts';

const IDLE = values();
const BUSY = values({ gpu: gpus([90]) });
const AWAY: Probe = { unreachable: 'connection refused' };
const short = policy({ idleTimeoutMs: 5 * 60_000, graceMs: 2 * 60_000, unknownBoundMs: 4 * 60_000 });
const none = (count: number) => Array.from({ length: count }, () => 'none');

test('half an hour without use, a warning, two minutes, a stop; and again until it is stopped', () => {
  const watch = new Watch();
  expect(watch.nexts(29)).toEqual(none(29));
  const warning = watch.look(1);
  expect(warning).toMatchObject({ verdict: 'idle', next: 'warn', cause: 'idle', idleSince: minute(0) });
  expect(warning.stopAt).toBe(minute(32));
  expect(warning.reasons.slice(0, 2)).toEqual(['not used for 30m', 'GPU 0 at 0 %']);
  expect(watch.nexts(3)).toEqual(['none', 'stop', 'stop']);
});

test('the time of the stop is told ahead, and a use takes it back', () => {
  const watch = new Watch();
  expect(watch.minutes(10)).toMatchObject({ stopAt: minute(32), idleSince: minute(0) });
  expect(watch.look(1, { probe: BUSY })).toMatchObject({ verdict: 'busy', stopAt: null, idleSince: null });
  expect(watch.look(1, { probe: IDLE })).toMatchObject({ stopAt: minute(43), idleSince: minute(11) });
});

test.each<[string, Partial<IdleInput>, string]>([
  ['work that a probe sees', { probe: BUSY }, 'busy'],
  ['a lease', { holders: ['task-1'] }, 'busy'],
  ['a lease while the probe fails', { holders: ['task-1'], probe: AWAY }, 'busy'],
  ['a use that began and ended between two looks', { lastUseAt: minute(31) }, 'idle'],
  ['a new boot', { probe: values({ bootId: 'boot-2' }) }, 'idle'],
  ['a new launch', { launchedAt: minute(31) }, 'idle'],
])('after a warning, %s begins everything anew', (_, change, verdict) => {
  const watch = new Watch();
  expect(watch.minutes(31).clocks.warned).toEqual({ cause: 'idle', ms: 60_000 });
  const seen = watch.look(1, change);
  expect(seen).toMatchObject({ verdict, next: 'none', clocks: { warned: null } });
  expect(seen.clocks.idleMs).toBeLessThanOrEqual(60_000);
  expect(watch.nexts(28, { probe: 'probe' in change ? values({ bootId: 'boot-2' }) : IDLE, holders: [] })).toEqual(
    none(28),
  );
});

test('a use between two looks counts where it cannot be told whether the machine is used, too', () => {
  const watch = new Watch({ policy: policy({ ...short, onUnknown: 'stop' }) });
  expect(watch.nexts(5, { probe: AWAY })).toEqual([...none(3), 'warn', 'none']);
  expect(watch.nexts(6, { lastUseAt: minute(5) })).toEqual([...none(4), 'warn', 'none']);
});

test('unknown stops the clock and does not set it back; the warning stands, and no stop comes of it', () => {
  const watch = new Watch({ policy: short });
  expect(watch.nexts(5)).toEqual([...none(4), 'warn']);
  const unknown = watch.look(1, { probe: AWAY });
  expect(unknown).toMatchObject({ verdict: 'unknown', next: 'none', stopAt: null, idleSince: null });
  expect(unknown.reasons).toEqual(['not known for 60s', 'not reachable: connection refused']);
  expect(watch.nexts(2)).toEqual(none(2));
  expect(watch.nexts(2, { probe: IDLE })).toEqual(['none', 'stop']);
});

test('a machine that answers every other time is stopped in twice the time', () => {
  const watch = new Watch({ policy: short });
  const nexts = Array.from({ length: 14 }, (_, index) => watch.look(1, { probe: index % 2 === 0 ? AWAY : IDLE }).next);
  expect(nexts).toEqual([...none(9), 'warn', 'none', 'none', 'none', 'stop']);
});

test('not known for too long: one alert, and it holds', () => {
  const watch = new Watch({ policy: short });
  expect(watch.nexts(300, { probe: AWAY })).toEqual([...none(3), 'alert_unknown', ...none(296)]);
  expect(watch.look(1, { probe: BUSY }).clocks).toMatchObject({ alerted: false, unknownMs: 0 });
  expect(watch.nexts(4, { probe: AWAY })).toEqual([...none(3), 'alert_unknown']);
});

test('not known for too long, where somebody chose to stop then: warned about and stopped', () => {
  const watch = new Watch({ policy: policy({ ...short, onUnknown: 'stop' }) });
  expect(watch.nexts(6, { probe: AWAY })).toEqual([...none(3), 'warn', 'none', 'stop']);
});

test('a snooze holds the warning and the stop, and the warning is given again after it', () => {
  const watch = new Watch({ policy: short });
  expect(watch.nexts(6)).toEqual([...none(4), 'warn', 'none']);
  const snoozed = watch.look(1, { snoozedUntil: minute(30) });
  expect(snoozed).toMatchObject({ verdict: 'idle', next: 'none', cause: null, stopAt: minute(32) });
  expect(watch.nexts(25)).toEqual([...none(22), 'warn', 'none', 'stop']);
});

test('a machine that was never used counts from its registration or its launch, whichever is later', () => {
  const registered = new Watch({ launchedAt: minute(-600), policy: short });
  expect(registered.nexts(5)).toEqual([...none(4), 'warn']);
  const launched = new Watch({ registeredAt: minute(-600), launchedAt: minute(3), policy: short });
  expect(launched.look(4)).toMatchObject({ next: 'none', idleSince: minute(3) });
  expect(launched.nexts(4)).toEqual([...none(3), 'warn']);
  const ahead = new Watch({ launchedAt: minute(90), policy: short });
  expect(ahead.look(0)).toMatchObject({ next: 'none', idleSince: minute(0) });
  expect(ahead.nexts(5)).toEqual([...none(4), 'warn']);
  // Its first look comes late: more than was watched does not count.
  const late = new Watch({ registeredAt: minute(-600), launchedAt: minute(-600) });
  expect(late.look(0)).toMatchObject({ next: 'none', clocks: { idleMs: 300_000 } });
});

test('hours in which nobody looked are no hours without use', () => {
  const watch = new Watch();
  watch.minutes(10);
  expect(watch.look(600)).toMatchObject({ next: 'none', clocks: { idleMs: 15 * 60_000 } });
  const warned = new Watch({ policy: policy({ graceMs: 10 * 60_000 }) });
  expect(warned.minutes(30).next).toBe('warn');
  expect(warned.look(600)).toMatchObject({ next: 'none', clocks: { warned: { ms: 300_000 } } });
});

test.each([
  ['forward', 86_400],
  ['backward', -86_400],
])('our clock jumps %s at every other look: the machine is stopped when it would have been', (_, jumpMinutes) => {
  const watch = new Watch();
  const nexts = Array.from({ length: 32 }, (__, index) => {
    const probe = values({ uptimeS: (index + 1) * 60 });
    return watch.look(1, { now: minute(index + 1 + (index % 2) * jumpMinutes), probe }).next;
  });
  expect(nexts).toEqual([...none(29), 'warn', 'none', 'stop']);
});

test('after a look that failed, the next counts where both clocks agree, and for nothing where ours has jumped', () => {
  const after = (minutesByUs: number) => {
    const watch = new Watch({ policy: short });
    watch.look(1, { probe: values({ uptimeS: 60 }) });
    expect(watch.look(1, { probe: AWAY }).clocks.idleMs).toBe(60_000);
    return watch.look(1, { now: minute(minutesByUs), probe: values({ uptimeS: 180 }) }).clocks.idleMs;
  };
  expect([3, 9_000, -9_000].map(after)).toEqual([120_000, 60_000, 60_000]);
  const unseen = new Watch({ policy: short, probe: AWAY, holders: ['task-1'] });
  unseen.minutes(4);
  const released = { now: minute(9_000), probe: values({ uptimeS: 300 }), holders: [] };
  expect(unseen.look(1, released).clocks.idleMs).toBe(0);
});

describe('the longest run', () => {
  const bounded = policy({ maxRunMs: 10 * 60_000 });

  test('is warned about and asked for even while it works and is held, and a use does not begin it anew', () => {
    const watch = new Watch({ policy: bounded, probe: BUSY, holders: ['job-1'] });
    const nexts = Array.from({ length: 12 }, (_, at) => watch.look(1, { lastUseAt: minute(at) }).next);
    expect(nexts).toEqual([...none(9), 'warn', 'none', 'stop_max_run']);
    const still = watch.look(1);
    expect(still).toMatchObject({ verdict: 'busy', next: 'stop_max_run', cause: 'max_run', stopAt: minute(13) });
    expect(still.reasons.slice(0, 2)).toEqual(['running for 13m, longer than it may', 'held by job-1']);
  });

  test('begins with a launch, not with a boot, and a snooze holds it', () => {
    const watch = new Watch({ policy: bounded, probe: BUSY });
    expect(watch.nexts(9)).toEqual(none(9));
    const rebooted = values({ bootId: 'boot-2', gpu: gpus([90]) });
    expect(watch.nexts(2, { probe: rebooted })).toEqual(['warn', 'none']);
    expect(watch.nexts(3, { snoozedUntil: minute(14) })).toEqual(['none', 'none', 'warn']);
    expect(watch.nexts(3, { launchedAt: minute(15), snoozedUntil: null })).toEqual(none(3));
  });

  test('counts the time before the first look, by whichever clock tells less', () => {
    const at = (uptimeS: number | null, launched: number) =>
      new Watch({ policy: bounded, launchedAt: minute(launched), probe: values({ uptimeS }) }).look(0).clocks.ranMs;
    expect(at(3_600, -60)).toBe(3_600_000);
    expect(at(3_600, -600_000)).toBe(3_600_000);
    expect(at(900_000, -60)).toBe(3_600_000);
    expect(at(null, -60)).toBe(0);
  });
});

test('a time scale shortens what idleness counts, and nothing else', () => {
  const scaled = scaledPolicy(policy({ maxRunMs: 3_600_000 }), 0.01);
  expect(scaled).toEqual({
    ...DEFAULT_IDLE_POLICY,
    ...{ idleTimeoutMs: 18_000, graceMs: 1_200, gpuContextBoundMs: 216_000, loginsBoundMs: 432_000 },
    ...{ unknownBoundMs: 36_000, maxRunMs: 36_000, watchGapMs: 15_000 },
  });
  expect(scaledPolicy(DEFAULT_IDLE_POLICY, 1)).toEqual(DEFAULT_IDLE_POLICY);
});
