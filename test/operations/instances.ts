// Instances as a read of the cloud would show them, for planning without a cloud.
import { Failure } from '../../domain/failures.ts';
import type { PlanContext } from '../../operations/operation.ts';
import type { Instance, InstanceState } from '../../domain/instance.ts';
import type { PlanDraft } from '../../domain/plan.ts';
import type { JsonObject } from '../../domain/task.ts';
import { operationOf } from '../../operations/index.ts';

export const TASK_ID = '01234567-89ab-4cde-8f01-23456789abcd';
export const LAUNCHED = '2030-01-01T00:00:00.000Z';

export function instance(changes: Partial<Instance> = {}): Instance {
  return {
    id: 'i-0123abcd',
    name: 'vm-prod-01',
    state: 'running',
    type: 'm5.large',
    zone: 'us-east-1a',
    launchTime: LAUNCHED,
    publicIp: '203.0.113.7',
    privateIp: '10.0.0.7',
    tags: { Name: 'vm-prod-01', team: 'core' },
    ...changes,
  };
}

/** Instances `node-1` to `node-<count>`, each launched a minute after the one before. */
export function fleet(count: number, state: InstanceState = 'running', tags: Record<string, string> = {}): Instance[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    return instance({
      id: `i-${String(number).padStart(8, '0')}`,
      name: `node-${number}`,
      state,
      launchTime: new Date(Date.parse(LAUNCHED) + number * 60_000).toISOString(),
      tags,
    });
  });
}

/** The plan of a change. */
export function planOf(
  operation: string,
  params: JsonObject,
  seen: readonly Instance[],
  context: Partial<PlanContext> = {},
): PlanDraft {
  const prepared = operationOf(operation).prepare(params);
  if (prepared.effect === 'read') throw new Error(`${operation} does not plan`);
  return prepared.plan(seen, { region: 'eu-west-1', agents: {}, ...context });
}

/** The result of a change that was planned on these. */
export function resultOf(operation: string, params: JsonObject, seen: readonly Instance[]): JsonObject {
  const prepared = operationOf(operation).prepare(params);
  if (prepared.effect === 'read') return prepared.answer(seen);
  const { facts } = prepared.plan(seen, { region: 'eu-west-1', agents: {} });
  return prepared.result({ taskId: TASK_ID, facts, outcomes: [] });
}

/** The failure that something throws. */
export function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
