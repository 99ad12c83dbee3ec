// Random lives of machines as the sandbox can play them: the timelines of the idle rule, in seconds and with its means.
import fc from 'fast-check';
import type { Timeline } from '../domain/timelines.ts';
import { timelines } from '../domain/timelines.ts';
import type { Random } from './random.ts';

/** How work shows: by a command of Fermata's and its lease, by the driver of GPUs, by the owner's command, by `who`. */
export type Work = 'command' | 'gpu' | 'context' | 'custom' | 'login';

/** Why a look cannot tell: the network, the driver, or an owner's command that says nothing. */
export type Blindness = 'freeze' | 'hang' | 'refuse' | 'gpu_hang' | 'gpu_garbage' | 'custom_silent';

export interface Stretch {
  readonly seconds: number;
  readonly work: Work | null;
  readonly blind: Blindness | null;
  /** At its beginning: somebody at the console of the cloud. */
  readonly console: 'stop' | 'restart' | null;
  /** At its beginning: a command that ends at once. */
  readonly touched: boolean;
  /** At its beginning: by how much the clock of whoever looks jumps, either way. */
  readonly jumpMs: number;
  /** At its beginning: minutes of the product's, which are scaled; 0 for none. */
  readonly snoozeMin: number;
}

export interface Life {
  readonly name: string;
  readonly type: 'g4dn.xlarge' | 't3.micro';
  readonly idleTimeoutMin: number;
  readonly stretches: readonly Stretch[];
}

const MINUTE_MS = 60_000;
const LONGEST_SNOOZE_MIN = 4;
const SHORTEST_S = 6;

export interface LivesOptions {
  readonly count: number;
  /** How long each is, before its last rest. */
  readonly seconds: number;
  /** Idle timeouts are from 1 to so many minutes of the product's, which are scaled. */
  readonly longestTimeoutMin: number;
  readonly random: Random;
}

/** The same seed gives the same lives. Each is cut where its time is over. */
export function livesOf({ count, seconds, longestTimeoutMin, random }: LivesOptions): Life[] {
  return fc.sample(timelines, { numRuns: count, seed: random.seed }).map((timeline, index) => ({
    name: `life-${index}`,
    type: index % 2 === 0 ? 'g4dn.xlarge' : 't3.micro',
    idleTimeoutMin: 1 + (timeline.idleTimeoutMinutes % longestTimeoutMin),
    stretches: cut(timeline, seconds, random, index % 2 === 0),
  }));
}

function cut({ stretches }: Timeline, seconds: number, random: Random, gpu: boolean): Stretch[] {
  const longest = Math.max(SHORTEST_S, seconds / 3);
  let left = seconds;
  return stretches.flatMap((stretch) => {
    const lasts = Math.min(longest, Math.max(SHORTEST_S, stretch.minutes * 1.5), left);
    left -= lasts;
    if (lasts < SHORTEST_S) return [];
    const work = workOf(stretch, gpu);
    const blind = stretch.failure === null ? null : blindnessOf(stretch.failure, random, gpu);
    const console =
      work === null && blind === null ? random.pick([null, null, null, 'stop', 'restart'] as const) : null;
    return [
      {
        ...{ seconds: lasts, work, blind, console },
        touched: stretch.touched && console === null,
        jumpMs: stretch.jumpMinutes * MINUTE_MS,
        snoozeMin: Math.min(stretch.snoozeMinutes, LONGEST_SNOOZE_MIN),
      },
    ];
  });
}

type Told = Timeline['stretches'][number];

function workOf({ work, held }: Told, gpu: boolean): Work | null {
  if (held || work === 'run') return 'command';
  if (work === null) return null;
  if (work === 'login') return 'login';
  if (work === 'gpu' || work === 'context') return gpu ? work : 'custom';
  return 'custom';
}

function blindnessOf(failure: string, random: Random, gpu: boolean): Blindness {
  if (failure === 'gpu_hangs' && gpu) return random.pick(['gpu_hang', 'gpu_garbage'] as const);
  if (failure === 'custom_hangs') return 'custom_silent';
  return random.pick(['freeze', 'hang', 'refuse'] as const);
}
