// How an instance passes from state to state: every state follows from stored times, so no timer can be lost.
import type { Instance, State } from './records.ts';

export interface Timing {
  readonly stateMs: number;
  readonly checkMs: number;
}

export type Check = 'not-applicable' | 'initializing' | 'ok' | 'impaired';

export interface Reason {
  readonly text: string;
  readonly code: string;
  readonly message: string;
}

export const noReason: Reason = { text: '', code: '', message: '' };

/** How long a terminated instance can still be seen. */
const graveMs = 3_600_000;

export function stateAt(instance: Instance, now: number): State {
  return now < instance.settles_at_ms ? instance.passing : instance.settled;
}

export function checkAt(instance: Instance, now: number, forced: Check | undefined): Check {
  if (stateAt(instance, now) !== 'running') return 'not-applicable';
  if (now < instance.checks_settle_at_ms) return 'initializing';
  return forced ?? 'ok';
}

export function isGone(instance: Instance, now: number): boolean {
  return instance.settled === 'terminated' && now >= instance.settles_at_ms + graveMs;
}

export function started(instance: Instance, now: number, timing: Timing, publicNumber: number): Instance {
  const launched = { ...instance, launched_at_ms: now, public_number: publicNumber };
  const passing = passTo(launched, 'pending', 'running', now + timing.stateMs, noReason);
  return { ...passing, checks_settle_at_ms: passing.settles_at_ms + timing.checkMs };
}

export function stopped(instance: Instance, now: number, timing: Timing, reason: Reason): Instance {
  return passTo(instance, 'stopping', 'stopped', now + timing.stateMs, reason);
}

export function terminated(instance: Instance, now: number, timing: Timing, reason: Reason): Instance {
  return passTo(instance, 'shutting-down', 'terminated', now + timing.stateMs, reason);
}

export function rebooted(instance: Instance, now: number, timing: Timing): Instance {
  return { ...instance, reboots: instance.reboots + 1, checks_settle_at_ms: now + timing.checkMs };
}

export function askedByUser(now: number): Reason {
  const second = new Date(now).toISOString().slice(0, 19).replace('T', ' ');
  const code = 'Client.UserInitiatedShutdown';
  return { text: `User initiated (${second} GMT)`, code, message: `${code}: User initiated shutdown` };
}

/** As AWS says it of a shutdown from inside. */
export const askedByGuest: Reason = {
  text: 'Client.InstanceInitiatedShutdown',
  code: 'Client.InstanceInitiatedShutdown',
  message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown',
};

function passTo(instance: Instance, passing: State, settled: State, settlesAt: number, reason: Reason): Instance {
  return {
    ...instance,
    passing,
    settled,
    settles_at_ms: settlesAt,
    reason: reason.text,
    reason_code: reason.code,
    reason_message: reason.message,
  };
}
