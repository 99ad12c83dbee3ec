// What one look at a machine shows, as plain values: a script on the machine reads them, rules judge them.

export type Gpu = {
  readonly index: number;
  /** 0 to 100; null where the driver does not tell, as with MIG. */
  readonly utilizationPercent: number | null;
  readonly memoryUsedMb: number | null;
  readonly memoryTotalMb: number | null;
};

/** A process that holds a context on some GPU, whether it computes or not. */
export type GpuApp = { readonly pid: number; readonly memoryMb: number | null };

export type GpuSight =
  | { readonly kind: 'gpus'; readonly gpus: readonly Gpu[]; readonly apps: readonly GpuApp[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly why: string };

/** What the member's own command says; anything but `busy` and `idle` is unknown. */
export type CustomSays = 'busy' | 'idle' | 'unknown';

/** Null is a value that could not be read, but for `custom` and `jobHeartbeatAgeS`. */
export type ProbeValues = {
  /** ISO time by the clock of whoever looked. */
  readonly at: string;
  /** False when the answer broke off: what is missing in it is not known. */
  readonly complete: boolean;
  readonly gpu: GpuSight;
  /** Of all cores together, 0 to 100. */
  readonly cpuPercent: number | null;
  readonly cpuCores: number | null;
  /** In and out together, without loopback. */
  readonly networkBytesPerSecond: number | null;
  readonly logins: number | null;
  /** Age of the youngest heartbeat of a job; null when there is none. */
  readonly jobHeartbeatAgeS: number | null;
  /** Commands started by Fermata that have not ended. */
  readonly runsInFlight: number | null;
  /** One entry for each name that was asked for. */
  readonly processes: readonly { readonly name: string; readonly count: number }[];
  /** Null when no command is configured. */
  readonly custom: CustomSays | null;
  /** What the command printed, capped; empty when it printed nothing. */
  readonly customSays: string;
  readonly bootId: string | null;
  /** By the machine's own clock that never jumps. */
  readonly uptimeS: number | null;
};

export type Probe = ProbeValues | { readonly unreachable: string };
