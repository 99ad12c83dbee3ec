// Terminating an instance for good.
import { Failure } from '../domain/failures.ts';
import { targetOf } from '../domain/instance.ts';
import { usdPerHour } from '../domain/prices.ts';
import { changeOperation } from './operation.ts';
import { called, instanceParams, only, sawOf } from './targets.ts';

export const deleteInstance = changeOperation({
  name: 'delete_instance',
  description: 'Permanently delete a VM instance',
  effect: 'destroy',
  params: instanceParams,
  reads: ({ instance_id }) => ({ kind: 'one', ref: instance_id }),
  plan: ({ instance_id }, seen, { region, prices }) => {
    const instance = only(seen, instance_id);
    if (instance.state === 'terminated' || instance.state === 'shutting-down') {
      throw new Failure('PlanRefused', { why: `Instance ${called(instance)} is ${instance.state} already.` });
    }
    const price = instance.state === 'running' ? usdPerHour([instance.type], prices) : 0;
    return {
      steps: [
        {
          id: `terminate-${instance.id}`,
          batch: 0,
          call: 'terminate_instance',
          target: targetOf(region, instance.id),
          args: {},
          saw: sawOf(instance),
          says: `terminate ${called(instance)}, now ${instance.state}`,
          undo: { none: 'a terminated instance and its root disk are gone for good' },
          estimatedSeconds: 90,
        },
      ],
      says: `Delete ${called(instance)}, ${instance.type} in ${instance.zone}, now ${instance.state}. There is no undo.`,
      costUsdPerHour: price === null ? null : 0 - price,
      facts: { id: instance.id },
    };
  },
  result: ({ instance_id }, { facts }) => ({
    status: 'DELETED',
    instance_id,
    message: `Instance '${instance_id}' has been permanently deleted.`,
    id: facts.id ?? null,
  }),
});
