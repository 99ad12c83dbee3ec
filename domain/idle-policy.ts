// What a member's owner says about idleness: what counts as use, how long nothing may use it, and what follows.

/** Percentages and rates count as use when they are reached; null switches that kind of evidence off. */
export type IdlePolicy = {
  readonly idleTimeoutMs: number;
  /** From the warning to the stop. */
  readonly graceMs: number;
  readonly gpuBusyPercent: number | null;
  /** Whether a process that holds a GPU without computing counts: a loaded model, a notebook, or leaked memory. */
  readonly gpuContextCounts: 'never' | 'bounded' | 'always';
  readonly gpuContextBoundMs: number;
  readonly cpuBusyPercent: number | null;
  /** One busy core is a small share of a large machine and still somebody's work. */
  readonly cpuBusyCores: number | null;
  readonly networkBusyBytesPerSecond: number | null;
  readonly loginsCount: boolean;
  /** How long logins alone count: a forgotten terminal is no use. */
  readonly loginsBoundMs: number;
  /** Names of programs, compared as a whole with the kernel's name of a process. */
  readonly processNames: readonly string[];
  /** A job's heartbeat older than this is no sign of life. */
  readonly heartbeatFreshMs: number;
  /** What to do when it is not known for `unknownBoundMs` whether a machine is used: somebody has to choose `stop`. */
  readonly onUnknown: 'hold' | 'stop';
  readonly unknownBoundMs: number;
  /** The longest a machine may run, used or not; null for no bound. */
  readonly maxRunMs: number | null;
  /** The longest time between two looks that counts as watched; what is longer counts only so far. */
  readonly watchGapMs: number;
};

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

export const DEFAULT_IDLE_POLICY: IdlePolicy = {
  idleTimeoutMs: 30 * MINUTE_MS,
  graceMs: 2 * MINUTE_MS,
  gpuBusyPercent: 5,
  gpuContextCounts: 'bounded',
  gpuContextBoundMs: 6 * HOUR_MS,
  cpuBusyPercent: 20,
  cpuBusyCores: 0.9,
  networkBusyBytesPerSecond: 1_000_000,
  loginsCount: true,
  loginsBoundMs: 12 * HOUR_MS,
  processNames: [],
  heartbeatFreshMs: 3 * MINUTE_MS,
  onUnknown: 'hold',
  unknownBoundMs: HOUR_MS,
  maxRunMs: null,
  watchGapMs: 5 * MINUTE_MS,
};

/** A watched gap below this would let a late sweep count for nothing. */
const SHORTEST_GAP_MS = 15 * SECOND_MS;

/**
 * The policy with every span that idleness counts multiplied by `timeScale`, in (0, 1]: 1 is real time, 0.01 makes
 * half an hour 18 seconds. Heartbeats keep their time, because jobs write them and know of no scale.
 */
export function scaledPolicy(policy: IdlePolicy, timeScale: number): IdlePolicy {
  const scaled = (ms: number) => Math.max(1, Math.round(ms * timeScale));
  return {
    ...policy,
    idleTimeoutMs: scaled(policy.idleTimeoutMs),
    graceMs: scaled(policy.graceMs),
    gpuContextBoundMs: scaled(policy.gpuContextBoundMs),
    loginsBoundMs: scaled(policy.loginsBoundMs),
    unknownBoundMs: scaled(policy.unknownBoundMs),
    maxRunMs: policy.maxRunMs === null ? null : scaled(policy.maxRunMs),
    watchGapMs: Math.max(Math.min(SHORTEST_GAP_MS, policy.watchGapMs), scaled(policy.watchGapMs)),
  };
}
