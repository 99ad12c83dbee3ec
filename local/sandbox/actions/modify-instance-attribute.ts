// ModifyInstanceAttribute: only the protection from termination.
import type { Mutation } from './action.ts';
import { missingParameter } from '../refusal.ts';

export const modifyInstanceAttribute: Mutation = {
  kind: 'change',
  name: 'ModifyInstanceAttribute',
  parameters: ['InstanceId', 'DisableApiTermination'],
  run({ query, cloud, now }) {
    const id = query.required('InstanceId');
    const wanted = query.group('DisableApiTermination');
    if (!wanted) throw missingParameter('DisableApiTermination');
    wanted.knowsOnly(['Value']);
    wanted.required('Value');
    const shielded = wanted.flag('Value');
    const instances = cloud
      .instancesOf([id], now)
      .filter((instance) => instance.protected !== shielded)
      .map((instance) => ({ ...instance, protected: shielded }));
    return {
      answer: { return: true },
      effect: { instance_ids: [id], changed: instances.map((instance) => instance.id) },
      records: { instances },
    };
  },
};
