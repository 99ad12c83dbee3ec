// What the operations on members have in common: how a member is asked for, and what a plan needs of it.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import type { Needs } from '../domain/plan.ts';
import type { MemberSeen, PlanContext } from './operation.ts';

/** A member's id or name. */
export const memberRef = z.string().min(1, 'Input should not be empty').max(64);

/** Whether a stopped machine is started for it; nothing else ever starts one. */
export const startRule = z.enum(['if_stopped', 'never']).default('if_stopped');

/** How long a machine may take to start, get its address and answer, ms: GPU hosts take minutes. */
export const GETS_READY_MS = 15 * 60_000;

/** The member that was asked for. Throws `MemberNotFound`. */
export function memberOf({ member }: PlanContext, ref: string): MemberSeen {
  if (!member) throw new Failure('MemberNotFound', { ref });
  return member;
}

/**
 * What a plan needs of its member. Throws `MemberUnusable` for a machine that is gone and `MemberStopped` for one that
 * may not be started.
 */
export function needsOf(
  { id, target, settings }: MemberSeen,
  instance: Instance | undefined,
  start: Needs['start'],
): Needs {
  const { cloud, name } = settings;
  if (cloud && !instance) throw new Failure('TargetNotFound', { what: 'Instance', id: cloud.instanceId });
  if (instance?.state === 'terminated' || instance?.state === 'shutting-down') {
    throw new Failure('MemberUnusable', { id: instance.id, state: instance.state });
  }
  const sleeps = instance?.state === 'stopped' || instance?.state === 'stopping';
  if (sleeps && start === 'never') throw new Failure('MemberStopped', { name, state: instance.state });
  return { memberId: id, target, start };
}

/** What stands before a plan's sentence when the machine has to be started first. */
export function startWords(instance: Instance | undefined): string {
  return instance?.state === 'stopped' || instance?.state === 'stopping' ? 'Start the machine, then ' : '';
}
