// Starting, stopping and restarting one instance.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Step } from '../domain/plan.ts';
import { usdPerHour } from '../domain/prices.ts';
import { changeOperation } from './operation.ts';
import { called, instanceParams, only, rebootStep, requireState, startStep, STOPS_MS, stopStep } from './targets.ts';

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
      costUsdPerHour: idle ? 0 : usdPerHour([instance.type], context.prices),
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
    /** Goes away when a job runs there, where otherwise the job is cut off after a fresh checkpoint. */
    spare_jobs: z.boolean().default(false),
    /** Cuts jobs off though they have no fresh checkpoint; that waits for a decision. */
    force: z.boolean().default(false),
  }),
  reads: ({ instance_id }) => ({ kind: 'one', ref: instance_id }),
  // A stop that is slow, or whose end nobody saw, is no reason to start the machine again.
  keepsOnFailure: true,
  deadlineMs: () => STOPS_MS,
  plan: ({ instance_id, if_idle, spare_jobs, force }, seen, context) => {
    const instance = only(seen, instance_id);
    if (instance.state === 'terminated' || instance.state === 'shutting-down') {
      throw new Failure('PlanRefused', { why: `Instance ${called(instance)} is ${instance.state}: nothing to stop.` });
    }
    const idle = instance.state === 'stopped';
    const price = usdPerHour([instance.type], context.prices);
    const jobs = (idle ? undefined : context.jobs) ?? [];
    const cuts = force && jobs.length > 0;
    const step = stopStep(instance, 0, context);
    const args = { ...step.args, ...(spare_jobs && { spare_jobs }), ...(cuts && { force }) };
    return {
      steps: idle ? [] : [if_idle ? onlyIfIdle({ ...step, args }) : { ...step, args }],
      says: idle
        ? `${called(instance)} is stopped already: nothing to do.`
        : `Stop ${called(instance)}${if_idle ? ' if nothing uses it' : ''}; disks stay.${jobWords(jobs, cuts)}`,
      ...(cuts && { guarded: jobs }),
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

/** What becomes of the jobs that run there. */
function jobWords(jobs: readonly string[], cuts: boolean): string {
  if (jobs.length === 0) return '';
  if (cuts) return ` ${jobs.join(', ')}: cut off there, with or without a fresh checkpoint.`;
  return ` ${jobs.join(', ')}: cut off there, once each has shown a fresh checkpoint.`;
}

/** The step looks at the machine once more, just before it stops it. */
function onlyIfIdle(step: Step): Step {
  return { ...step, args: { ...step.args, if_idle: true }, says: `${step.says} if nothing uses it` };
}
