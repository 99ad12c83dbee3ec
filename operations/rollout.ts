// Rolling through the instances of a service, one batch after another: a deployment, or just a restart.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import type { Instance } from '../domain/instance.ts';
import { targetOf } from '../domain/instance.ts';
import type { Step } from '../domain/plan.ts';
import { growingBatches } from '../domain/plan.ts';
import type { PlanContext } from './operation.ts';
import { changeOperation } from './operation.ts';
import { called, label, rebootStep } from './targets.ts';

/** EC2 tag values are at most 256 characters. */
const deployParams = z.strictObject({ service_name: label, image_tag: label });
const restartParams = z.strictObject({ service_name: label });

function runningOf(service: string, seen: readonly Instance[]): Instance[] {
  if (seen.length === 0) throw new Failure('TargetNotFound', { what: 'Service', id: service });
  const running = seen.filter(({ state }) => state === 'running');
  if (running.length === 0) {
    throw new Failure('PlanRefused', { why: `None of the ${seen.length} instances of service '${service}' runs.` });
  }
  return running.sort((a, b) => called(a).localeCompare(called(b)));
}

function tagStep(instance: Instance, image: string, batch: number, { region }: PlanContext): Step {
  const former = instance.tags.image ?? null;
  return {
    id: `tag-${instance.id}`,
    batch,
    call: 'set_tag',
    target: targetOf(region, instance.id),
    args: { key: 'image', value: image },
    saw: { value: former },
    says: `set image=${image} on ${called(instance)}, now ${former ?? 'without an image tag'}`,
    undo: { call: 'set_tag', args: { key: 'image', value: former } },
    estimatedSeconds: 2,
  };
}

/** Each batch of instances takes its phases one after the other, before the next batch begins. */
function rolling(
  instances: readonly Instance[],
  phases: readonly ((instance: Instance, batch: number) => Step)[],
): Step[] {
  let begin = 0;
  return growingBatches(instances.length).flatMap((size, round) => {
    const members = instances.slice(begin, (begin += size));
    return phases.flatMap((phase, index) => members.map((member) => phase(member, round * phases.length + index)));
  });
}

/** Batches double, so that an hour is enough for any fleet; its size is known only when the terms are long made. */
const ROLLS_OUT_MS = 60 * 60_000;

const sizes = (count: number) => growingBatches(count).join(', ');

export const deployToProduction = changeOperation({
  name: 'deploy_to_production',
  description: 'Deploy a new container image to the production environment',
  effect: 'change',
  params: deployParams,
  reads: ({ service_name }) => ({ kind: 'tag', key: 'service', value: service_name }),
  deadlineMs: () => ROLLS_OUT_MS,
  plan: ({ service_name, image_tag }, seen, context) => {
    const running = runningOf(service_name, seen);
    return {
      steps: rolling(running, [
        (instance, batch) => tagStep(instance, image_tag, batch, context),
        (instance, batch) => rebootStep(instance, batch, context),
      ]),
      says:
        `Deploy image ${image_tag} to ${running.length} instances of ${service_name}, in batches of ` +
        `${sizes(running.length)}: set the tag, reboot, wait for passing checks, stop at the first failure.`,
      costUsdPerHour: 0,
      facts: { instances: running.length },
    };
  },
  result: ({ service_name, image_tag }, { taskId }) => {
    const buildId = buildIdOf(taskId);
    return {
      status: 'DEPLOYED',
      service_name,
      image_tag,
      build_id: buildId,
      message: `Service '${service_name}' successfully updated to image '${image_tag}' (build: ${buildId}).`,
    };
  },
});

export const restartProductionService = changeOperation({
  name: 'restart_production_service',
  description: 'Restart the instances of a production service, one batch after another',
  effect: 'change',
  params: restartParams,
  reads: ({ service_name }) => ({ kind: 'tag', key: 'service', value: service_name }),
  deadlineMs: () => ROLLS_OUT_MS,
  plan: ({ service_name }, seen, context) => {
    const running = runningOf(service_name, seen);
    return {
      steps: rolling(running, [(instance, batch) => rebootStep(instance, batch, context)]),
      says: `Restart ${running.length} instances of ${service_name}, in batches of ${sizes(running.length)}.`,
      costUsdPerHour: 0,
      facts: { instances: running.length },
    };
  },
  result: ({ service_name }, { facts }) => ({
    status: 'RESTARTED',
    service_name,
    instances: facts.instances ?? null,
    message: `Service '${service_name}' successfully restarted.`,
  }),
});

/** `build-10000` to `build-99999`, the same for a task whenever it is asked. */
export function buildIdOf(taskId: string): string {
  return `build-${10_000 + (Number.parseInt(taskId.slice(0, 8), 16) % 90_000)}`;
}
