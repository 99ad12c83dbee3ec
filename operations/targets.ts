// What the operations on instances have in common: their parameters, how an instance is shown, and the steps they plan.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import { settled, targetOf } from '../domain/instance.ts';
import type { Step } from '../domain/plan.ts';
import type { JsonObject } from '../domain/task.ts';
import type { PlanContext } from './operation.ts';

/** A non-empty label: an instance id, a Name tag, a cluster, a service. EC2's longest tag value is 256 characters. */
export const label = z.string().min(1, 'Input should not be empty').max(256);

export const instanceParams = z.strictObject({ instance_id: label });

/** The one instance a query was to find. Throws `TargetNotFound`. */
export function only(seen: readonly Instance[], ref: string): Instance {
  const [found] = seen;
  if (!found) throw new Failure('TargetNotFound', { what: 'Instance', id: ref });
  return found;
}

/** An instance as the contract shows it, with what callers asked for since at the end. */
export function shown(instance: Instance): JsonObject {
  return {
    id: instance.id,
    zone: instance.zone,
    status: instance.state.toUpperCase(),
    type: instance.type,
    name: instance.name,
  };
}

/** `vm-prod-01 (i-0abc…)`: how a person knows an instance. */
export function called(instance: Instance): string {
  return instance.name === null ? instance.id : `${instance.name} (${instance.id})`;
}

/** What a step compares when it looks again: that it is the same instance in the same run. */
export function sawOf(instance: Instance): JsonObject {
  return { state: settled(instance.state), name: instance.name, launchTime: instance.launchTime };
}

/** A GPU host may take many minutes to stop. */
export const STOPS_MS = 30 * 60_000;

export function stopStep(instance: Instance, batch: number, { region }: PlanContext): Step {
  return {
    id: `stop-${instance.id}`,
    batch,
    call: 'stop_instance',
    target: targetOf(region, instance.id),
    args: {},
    saw: sawOf(instance),
    says: `stop ${called(instance)}`,
    undo: { call: 'start_instance', args: {} },
    estimatedSeconds: 60,
  };
}

export function startStep(instance: Instance, batch: number, { region }: PlanContext): Step {
  return {
    id: `start-${instance.id}`,
    batch,
    call: 'start_instance',
    target: targetOf(region, instance.id),
    args: {},
    saw: sawOf(instance),
    says: `start ${called(instance)}`,
    undo: { call: 'stop_instance', args: {} },
    estimatedSeconds: 60,
  };
}

export function rebootStep(instance: Instance, batch: number, { region }: PlanContext): Step {
  return {
    id: `reboot-${instance.id}`,
    batch,
    call: 'reboot_instance',
    target: targetOf(region, instance.id),
    args: {},
    saw: sawOf(instance),
    says: `reboot ${called(instance)} and wait for passing status checks`,
    undo: { none: 'a reboot cannot be taken back' },
    estimatedSeconds: 120,
  };
}

/** Refuses a state in which the operation has no meaning, in words that say which state it is in. */
export function requireState(instance: Instance, wanted: Instance['state'], verb: string): void {
  if (instance.state === wanted) return;
  throw new Failure('PlanRefused', {
    why: `Instance ${called(instance)} is ${instance.state}; only a ${wanted} one can be ${verb}.`,
  });
}
