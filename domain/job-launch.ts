// One launch of a job: how far it is known to have come, and when the next one may begin.
import type { FailureType } from './failures.ts';

/**
 * `claimed`: nothing was sent to the machine for it · `sent`: it may have been begun, and only the machine knows ·
 * `begun`: the machine said that it was.
 */
export type LaunchStep = 'claimed' | 'sent' | 'begun';

/** A call that failed by one of these was not sent to the machine. */
export const NOT_SENT: readonly FailureType[] = ['SecretUnavailable', 'InvalidRequest'];

/** What is known of the newest launch of a job here. */
interface Known {
  readonly generation: number;
  readonly launch: LaunchStep;
  /** True when it was seen to have lost its runner. */
  readonly runnerLost: boolean;
}

/** What its machine says of the newest launch there. */
interface There {
  readonly generation: number;
  readonly state: string;
  readonly commandAlive: boolean;
}

/** True when this launch may have been begun by an earlier call: what goes wrong now says nothing about it. */
export function isDoubted({ generation, launch }: Omit<Known, 'runnerLost'>, wanted: number): boolean {
  return launch === 'sent' || (launch === 'begun' && generation >= wanted);
}

/**
 * True when the launch that is wanted may follow the newest one on the machine: that was cut off, or lost its runner
 * with all that it ran, and was counted for it. Any other one is to be watched, however it was thought to have ended.
 */
export function mayFollow(wanted: number, known: Omit<Known, 'launch'>, there: There): boolean {
  if (there.generation >= wanted) return false;
  if (there.state === 'interrupted') return true;
  if (there.state !== 'unknown' || there.commandAlive) return false;
  return known.generation > there.generation || known.runnerLost;
}
