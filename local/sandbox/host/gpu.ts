// The state file that a host's nvidia-smi reads: its mode, its GPUs, and the programs that hold their memory.
import { instanceTypes } from '../instance-types.ts';

export const gpuModes = ['idle', 'busy', 'missing', 'hang', 'garbage', 'error'] as const;
export type GpuMode = (typeof gpuModes)[number];

export interface GpuWish {
  readonly mode: GpuMode;
  readonly count?: number;
  /** Percent and MiB by GPU; those beyond the list are as the mode has them. */
  readonly utilization?: readonly number[];
  readonly memoryUsedMb?: readonly number[];
  /** The processes that compute on the first GPU. */
  readonly apps?: readonly number[];
}

export interface GpuState {
  readonly text: string;
}

/** What a GPU has where nothing else is said, in percent of use and as a share of its memory. */
const usual = { idle: { utilization: 0, share: 0 }, busy: { utilization: 97, share: 0.8 } } as const;
const unknownGpu = { name: 'GPU', memoryMib: 16_384 };

/** Undefined for a type without GPUs that was not given any. */
export function gpuStateOf(type: string, wish: GpuWish): GpuState | undefined {
  const gpu = instanceTypes.get(type)?.gpu;
  const count = wish.count ?? gpu?.count ?? 0;
  if (count === 0) return undefined;
  const { name, memoryMib } = gpu ?? unknownGpu;
  const { utilization, share } = usual[wish.mode === 'busy' ? 'busy' : 'idle'];
  const gpus = Array.from({ length: count }, (_, index) => ({
    use: wish.utilization?.[index] ?? utilization,
    used: wish.memoryUsedMb?.[index] ?? Math.round(memoryMib * share),
  }));
  const apps = wish.apps ?? [];
  const each = Math.floor((gpus[0]?.used ?? 0) / Math.max(apps.length, 1));
  const lines = [
    `mode ${wish.mode}`,
    ...gpus.map(({ use, used }, index) => `gpu|${index}|NVIDIA ${name}|${use}|${used}|${memoryMib}`),
    ...apps.map((pid) => `app|${pid}|python|${each}`),
  ];
  return { text: `${lines.join('\n')}\n` };
}
