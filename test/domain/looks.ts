// Looks at a member for the tests of idleness: one that shows rest, ways in which work shows, and a clock to judge by.
import type { IdleInput } from '../../domain/idle-clocks.ts';
import type { IdlePolicy } from '../../domain/idle-policy.ts';
import { DEFAULT_IDLE_POLICY } from '../../domain/idle-policy.ts';
import type { Judgement } from '../../domain/idle.ts';
import { judge } from '../../domain/idle.ts';
import type { Gpu, GpuSight, ProbeValues } from '../../domain/probe.ts';

const MINUTE_MS = 60_000;
const START = '2030-01-01T00:00:00.000Z';

/** ISO time so many minutes after the start. */
export function minute(count: number): string {
  return new Date(Date.parse(START) + count * MINUTE_MS).toISOString();
}

export const policy = (changes: Partial<IdlePolicy> = {}): IdlePolicy => ({ ...DEFAULT_IDLE_POLICY, ...changes });

export function gpus(utilization: readonly (number | null)[], apps = 0): GpuSight {
  const one = (utilizationPercent: number | null, index: number): Gpu => ({
    ...{ index, utilizationPercent },
    ...{ memoryUsedMb: 3, memoryTotalMb: 15_360 },
  });
  const processes = Array.from({ length: apps }, (_, index) => ({ pid: 100 + index, memoryMb: 500 }));
  return { kind: 'gpus', gpus: utilization.map(one), apps: processes };
}

/** What a probe shows of a machine that rests. */
export function values(changes: Partial<ProbeValues> = {}): ProbeValues {
  return {
    ...{
      at: START,
      complete: true,
      gpu: gpus([0]),
      cpuPercent: 2,
      cpuCores: 4,
      networkBytesPerSecond: 1200,
      logins: 0,
    },
    ...{ jobHeartbeatAgeS: null, runsInFlight: 0, processes: [], custom: null, customSays: '' },
    ...{ bootId: 'boot-1', uptimeS: null },
    ...changes,
  };
}

/** Judges a member look by look, as a sweep does: each look takes up the clocks of the one before. */
export class Watch {
  #input: IdleInput;
  #minute = 0;

  /** The member was registered and launched at the start. */
  constructor(input: Partial<IdleInput> = {}) {
    this.#input = {
      ...{ now: START, registeredAt: START, launchedAt: START, lastUseAt: null, snoozedUntil: null, clocks: null },
      ...{ holders: [], probe: values(), policy: policy() },
      ...input,
    };
  }

  /** One look so many minutes after the one before; what is changed stays so. */
  look(minutes: number, changes: Partial<IdleInput> = {}): Judgement {
    this.#minute += minutes;
    this.#input = { ...this.#input, now: minute(this.#minute), ...changes };
    const judged = judge(this.#input);
    this.#input = { ...this.#input, clocks: judged.clocks };
    return judged;
  }

  /** A look each minute; the last one. */
  minutes(count: number, changes: Partial<IdleInput> = {}): Judgement {
    let last = this.look(1, changes);
    for (let done = 1; done < count; done += 1) last = this.look(1);
    return last;
  }

  /** A look each minute: what each of them asked for. */
  nexts(count: number, changes: Partial<IdleInput> = {}): string[] {
    return Array.from({ length: count }, (_, index) => this.look(1, index === 0 ? changes : {}).next);
  }
}
