// Random lives of a machine: work that comes and goes, probes that fail, leases, snoozes and clocks that jump.
import fc from 'fast-check';
import type { IdlePolicy } from '../../domain/idle-policy.ts';
import type { Probe, ProbeValues } from '../../domain/probe.ts';
import { gpus, policy, values } from './looks.ts';

/** Each way in which work shows to a probe that works. */
const WORK: Readonly<Record<string, Partial<ProbeValues>>> = {
  gpu: { gpu: gpus([0, 64], 1) },
  cpu: { cpuPercent: 71 },
  network: { networkBytesPerSecond: 40_000_000 },
  process: { processes: [{ name: 'trainer', count: 1 }] },
  custom: { custom: 'busy', customSays: 'busy' },
  heartbeat: { jobHeartbeatAgeS: 20 },
  run: { runsInFlight: 1 },
  context: { gpu: gpus([0, 0], 1) },
  login: { logins: 1 },
};

/** Ways in which a look fails. */
const FAILURES: Readonly<Record<string, Probe | Partial<ProbeValues>>> = {
  unreachable: { unreachable: 'timed out' },
  gpu_hangs: { gpu: { kind: 'unreadable', why: 'nvidia-smi does not answer in time' } },
  custom_hangs: { custom: 'unknown', customSays: 'no answer' },
  cut_off: { complete: false },
};

/** So many minutes of one kind. */
export interface Stretch {
  readonly minutes: number;
  /** What works on the machine; null for nothing. */
  readonly work: string | null;
  /** How the looks fail; null for looks that show what is there. */
  readonly failure: string | null;
  /** Whether somebody holds a lease on it. */
  readonly held: boolean;
  /** At its first minute: a command that began and ended between two looks. */
  readonly touched: boolean;
  /** At its first minute: minutes by which the clock of whoever watches jumps, either way. */
  readonly jumpMinutes: number;
  /** At its first minute: a snooze of so many minutes; 0 for none. */
  readonly snoozeMinutes: number;
}

export interface Timeline {
  readonly idleTimeoutMinutes: number;
  readonly graceMinutes: number;
  readonly stretches: readonly Stretch[];
}

const rarely = <T>(value: fc.Arbitrary<T>, otherwise: T) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value });

const stretch: fc.Arbitrary<Stretch> = fc.record({
  minutes: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 30, max: 60 })),
  work: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.constantFrom(...Object.keys(WORK)) },
  ),
  failure: rarely(fc.constantFrom(...Object.keys(FAILURES)), null),
  held: rarely(fc.constant(true), false),
  touched: rarely(fc.constant(true), false),
  jumpMinutes: rarely(fc.oneof(fc.integer({ min: -90, max: 90 }), fc.constantFrom(-100_000, 100_000)), 0),
  snoozeMinutes: rarely(fc.integer({ min: 1, max: 45 }), 0),
});

/** Never longer than evidence counts that counts for a while only, so that each kind of work is work throughout. */
export const timelines: fc.Arbitrary<Timeline> = fc.record({
  idleTimeoutMinutes: fc.integer({ min: 2, max: 40 }),
  graceMinutes: fc.integer({ min: 0, max: 6 }),
  stretches: fc.array(stretch, { minLength: 2, maxLength: 10 }),
});

/** The policy of the member that lives a timeline. */
export function policyOf({ idleTimeoutMinutes, graceMinutes }: Timeline): IdlePolicy {
  const times = { idleTimeoutMs: idleTimeoutMinutes * 60_000, graceMs: graceMinutes * 60_000 };
  return policy({ ...times, gpuContextBoundMs: 86_400_000, loginsBoundMs: 86_400_000, processNames: ['trainer'] });
}

/** What a look shows in a stretch, on a machine that has been up for so long. */
export function shown({ work, failure }: Stretch, machine: { bootId: string; uptimeS: number }): Probe {
  const fails = failure === null ? {} : (FAILURES[failure] ?? {});
  if ('unreachable' in fails) return fails;
  const rest = values({ processes: [{ name: 'trainer', count: 0 }], custom: 'idle', ...machine });
  return { ...rest, ...(work === null ? {} : WORK[work]), ...fails };
}

/** True when the work of a stretch changes what a look shows: a failure may hide it. */
export function isVisible(stretch: Stretch): boolean {
  const machine = { bootId: '', uptimeS: 0 };
  return JSON.stringify(shown(stretch, machine)) !== JSON.stringify(shown({ ...stretch, work: null }, machine));
}
