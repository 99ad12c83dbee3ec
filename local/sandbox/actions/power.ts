// Start, stop, reboot and terminate: all named instances or none, and no change where the wish is met already.
import type { Call, Change, Mutation } from './action.ts';
import { requiredIds } from './action.ts';
import { stateXml } from './instance-xml.ts';
import { askedByUser, rebooted, started, stateAt, stopped, terminated } from '../lifecycle.ts';
import type { Instance, State } from '../records.ts';
import { Refusal, wrongState } from '../refusal.ts';

/** The instance as it will be, or undefined where nothing changes; throws what AWS refuses. */
type Turn = (instance: Instance, state: State, call: Call) => Instance | undefined;

export const startInstances: Mutation = {
  kind: 'change',
  name: 'StartInstances',
  parameters: ['InstanceId'],
  run: (call) => turned(call, startOne),
};

export const stopInstances: Mutation = {
  kind: 'change',
  name: 'StopInstances',
  parameters: ['InstanceId', 'Force'],
  run: (call) => turned(call, stopOne, { force: call.query.flag('Force') }),
};

export const terminateInstances: Mutation = {
  kind: 'change',
  name: 'TerminateInstances',
  parameters: ['InstanceId'],
  run: (call) => turned(call, terminateOne),
};

export const rebootInstances: Mutation = {
  kind: 'change',
  name: 'RebootInstances',
  parameters: ['InstanceId'],
  run: (call) => ({ ...turned(call, rebootOne), answer: { return: true } }),
};

const startOne: Turn = (instance, state, { cloud, now }) => {
  if (state === 'running' || state === 'pending') return undefined;
  if (state !== 'stopped') throw wrongState(instance.id, 'started');
  return started(instance, now, cloud.settings, cloud.nextNumber());
};

const stopOne: Turn = (instance, state, { cloud, now }) => {
  if (state === 'stopped' || state === 'stopping') return undefined;
  if (state !== 'running') throw wrongState(instance.id, 'stopped');
  return stopped(instance, now, cloud.settings, askedByUser(now));
};

const terminateOne: Turn = (instance, state, { cloud, now }) => {
  if (state === 'terminated' || state === 'shutting-down') return undefined;
  if (instance.protected) {
    throw new Refusal(
      'OperationNotPermitted',
      `The instance '${instance.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    );
  }
  return terminated(instance, now, cloud.settings, askedByUser(now));
};

/** AWS ignores a request to reboot a terminated instance. */
const rebootOne: Turn = (instance, state, { cloud, now }) => {
  if (state === 'terminated' || state === 'shutting-down') return undefined;
  if (state !== 'running') {
    throw new Refusal('IncorrectState', `Cannot reboot instance ${instance.id} that is currently in ${state} state.`);
  }
  return rebooted(instance, now, cloud.settings);
};

function turned(call: Call, turn: Turn, note: { force?: boolean } = {}): Change {
  const ids = requiredIds(call.query, 'InstanceId');
  const turns = call.cloud.instancesOf(ids, call.now).map((instance) => {
    const before = stateAt(instance, call.now);
    const after = turn(instance, before, call);
    return { id: instance.id, before, after };
  });
  const instances = turns.flatMap(({ after }) => after ?? []);
  return {
    answer: {
      instancesSet: turns.map(({ id, before, after }) => ({
        instanceId: id,
        currentState: stateXml(after ? stateAt(after, call.now) : before),
        previousState: stateXml(before),
      })),
    },
    effect: { instance_ids: ids, changed: instances.map(({ id }) => id), ...note },
    records: instances.length > 0 ? { instances } : {},
  };
}
