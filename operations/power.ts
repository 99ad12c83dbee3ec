// Starting, stopping and restarting one instance.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Step } from '../domain/plan.ts';
import { usdPerHour } from '../domain/prices.ts';
import { changeOperation } from './operation.ts';
import { called, instanceParams, only, rebootStep, requireState, startStep, stopStep } from './targets.ts';

export const restartInstance = changeOperation({
  name: 'restart_instance',
  description: 'Gracefully restart a running VM instance',
  effect: 'change',
  params: instanceParams,
  reads: ({ instance_id }) => ({ kind: 'one', ref: instance_id }),
  plan: ({ instance_id }, seen, context) => {
    const instance = only(seen, instance_id);
    requireState(instance, 'running', 'restarted');
    return {
      steps: [rebootStep(instance, 0, context)],
      says: `Reboot ${called(instance)}. It does not answer for a minute or two; its disks and addresses stay.`,
      costUsdPerHour: 0,
      facts: { id: instance.id },
    };
  },
  result: ({ instance_id }, { facts }) => ({
    status: 'RESTARTED',
    instance_id,
    message: `Instance '${instance_id}' successfully restarted.`,
    id: facts.id ?? null,
  }),
});

/** Capacity may take a while, and a GPU host minutes more to come up. */
const STARTS_MS = 25 * 60_000;

export const startInstance = changeOperation({
  name: 'start_instance',
  description: 'Start a stopped VM instance',
  effect: 'change',
  params: instanceParams,
  reads: ({ instance_id }) => ({ kind: 'one', ref: instance_id }),
  // A lack of capacity is waited out.
  deadlineMs: () => STARTS_MS,
  plan: ({ instance_id }, seen, context) => {
    const instance = only(seen, instance_id);
    if (instance.state === 'terminated' || instance.state === 'shutting-down') {
      requireState(instance, 'stopped', 'started');
    }
    const idle = instance.state === 'running';
    return {
      steps: idle ? [] : [startStep(instance, 0, context)],
      says: idle ? `${called(instance)} runs already: nothing to do.` : `Start ${called(instance)}.`,
      costUsdPerHour: idle ? 0 : usdPerHour([instance.type]),
      facts: { id: instance.id, already: idle },
    };
  },
  result: ({ instance_id }, { facts }) => ({
    status: 'STARTED',
    instance_id,
    message: `Instance '${instance_id}' ${facts.already === true ? 'was already running' : 'successfully started'}.`,
    id: facts.id ?? null,
  }),
});

export const stopInstance = changeOperation({
  name: 'stop_instance',
  description: 'Stop a running VM instance; its disks are kept',
  effect: 'change',
  params: instanceParams.extend({
    /** Stops a member only when nothing uses it at that moment. */
    if_idle: z.boolean().default(false),
  }),
  reads: ({ instance_id }) => ({ kind: 'one', ref: instance_id }),
  plan: ({ instance_id, if_idle }, seen, context) => {
    const instance = only(seen, instance_id);
    if (instance.state === 'terminated' || instance.state === 'shutting-down') {
      throw new Failure('PlanRefused', { why: `Instance ${called(instance)} is ${instance.state}: nothing to stop.` });
    }
    const idle = instance.state === 'stopped';
    const price = usdPerHour([instance.type]);
    return {
      steps: idle ? [] : [if_idle ? onlyIfIdle(stopStep(instance, 0, context)) : stopStep(instance, 0, context)],
      says: idle
        ? `${called(instance)} is stopped already: nothing to do.`
        : `Stop ${called(instance)}${if_idle ? ' if nothing uses it' : ''}; disks stay.`,
      costUsdPerHour: idle || price === null ? (idle ? 0 : null) : -price,
      facts: { id: instance.id, already: idle },
    };
  },
  result: ({ instance_id }, { facts }) => ({
    status: 'STOPPED',
    instance_id,
    message: `Instance '${instance_id}' ${facts.already === true ? 'was already stopped' : 'successfully stopped'}.`,
    id: facts.id ?? null,
  }),
});

/** The step looks at the machine once more, just before it stops it. */
function onlyIfIdle(step: Step): Step {
  return { ...step, args: { ...step.args, if_idle: true }, says: `${step.says} if nothing uses it` };
}
