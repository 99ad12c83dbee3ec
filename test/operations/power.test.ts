// One instance started, stopped, restarted or deleted: what is planned on which state, and which state is refused.
import type { InstanceState } from '../../domain/instance.ts';
import { failureOf, instance, LAUNCHED, planOf, resultOf } from './instances.ts';

const params = { instance_id: 'vm-prod-01' };
const CALLED = 'vm-prod-01 (i-0123abcd)';

describe('the step of each', () => {
  test.each([
    [
      'delete_instance',
      'running',
      'terminate_instance',
      'running',
      { none: 'a terminated instance and its root disk are gone for good' },
      -0.096,
    ],
    [
      'delete_instance',
      'stopped',
      'terminate_instance',
      'stopped',
      { none: 'a terminated instance and its root disk are gone for good' },
      0,
    ],
    ['stop_instance', 'running', 'stop_instance', 'running', { call: 'start_instance', args: {} }, -0.096],
    ['stop_instance', 'pending', 'stop_instance', 'running', { call: 'start_instance', args: {} }, -0.096],
    ['stop_instance', 'stopping', 'stop_instance', 'stopped', { call: 'start_instance', args: {} }, -0.096],
    ['start_instance', 'stopped', 'start_instance', 'stopped', { call: 'stop_instance', args: {} }, 0.096],
    ['start_instance', 'stopping', 'start_instance', 'stopped', { call: 'stop_instance', args: {} }, 0.096],
    ['restart_instance', 'running', 'reboot_instance', 'running', { none: 'a reboot cannot be taken back' }, 0],
  ] as const)('%s of a %s one', (operation, state, call, saw, undo, cost) => {
    const { steps, costUsdPerHour, facts, says } = planOf(operation, params, [instance({ state })]);
    expect(steps).toHaveLength(1);
    expect(steps[0]).toMatchObject({ call, undo, batch: 0, args: {}, target: 'eu-west-1/i-0123abcd' });
    expect(steps[0]?.saw).toEqual({ state: saw, name: 'vm-prod-01', launchTime: LAUNCHED });
    expect(steps[0]?.id).toMatch(/^[a-z]+-i-0123abcd$/);
    expect(steps[0]?.estimatedSeconds).toBeGreaterThan(0);
    expect(costUsdPerHour).toBe(cost);
    expect(facts).toMatchObject({ id: 'i-0123abcd' });
    expect(says).toContain(CALLED);
  });

  test('what the person who decides on a deletion reads', () => {
    expect(planOf('delete_instance', params, [instance()]).says).toBe(
      `Delete ${CALLED}, m5.large in us-east-1a, now running. There is no undo.`,
    );
    expect(planOf('delete_instance', params, [instance({ name: null })]).says).toMatch(/^Delete i-0123abcd, /);
  });

  test('a type without a price has no cost rather than a wrong one', () => {
    for (const operation of ['delete_instance', 'stop_instance']) {
      expect(planOf(operation, params, [instance({ type: 'x9.huge' })]).costUsdPerHour).toBeNull();
    }
    expect(
      planOf('start_instance', params, [instance({ type: 'x9.huge', state: 'stopped' })]).costUsdPerHour,
    ).toBeNull();
    expect(planOf('stop_instance', params, [instance({ type: 'x9.huge', state: 'stopped' })]).costUsdPerHour).toBe(0);
  });

  test('a price from config comes before that of the table', () => {
    const prices = { asOf: '2030-01-01', usdPerHour: { 'x9.huge': 7 } };
    for (const operation of ['delete_instance', 'stop_instance']) {
      expect(planOf(operation, params, [instance({ type: 'x9.huge' })], { prices }).costUsdPerHour).toBe(-7);
    }
  });
});

describe('nothing to do is done without a step', () => {
  test.each([
    ['start_instance', 'running', 'runs already', 'was already running'],
    ['stop_instance', 'stopped', 'is stopped already', 'was already stopped'],
  ] as const)('%s of a %s one', (operation, state, says, message) => {
    const plan = planOf(operation, params, [instance({ state })]);
    expect(plan.steps).toEqual([]);
    expect(plan.costUsdPerHour).toBe(0);
    expect(plan.says).toBe(`${CALLED} ${says}: nothing to do.`);
    expect(resultOf(operation, params, [instance({ state })]).message).toBe(`Instance 'vm-prod-01' ${message}.`);
  });
});

describe('refusals', () => {
  const gone: readonly InstanceState[] = ['terminated', 'shutting-down'];

  test.each([
    ...gone.map((state) => ['delete_instance', state, `Instance ${CALLED} is ${state} already.`] as const),
    ...gone.map((state) => ['stop_instance', state, `Instance ${CALLED} is ${state}: nothing to stop.`] as const),
    ...gone.map(
      (state) =>
        ['start_instance', state, `Instance ${CALLED} is ${state}; only a stopped one can be started.`] as const,
    ),
    ...[...gone, 'stopped' as const, 'stopping' as const, 'pending' as const].map(
      (state) =>
        ['restart_instance', state, `Instance ${CALLED} is ${state}; only a running one can be restarted.`] as const,
    ),
  ])('%s of a %s one', (operation, state, text) => {
    const failure = failureOf(() => planOf(operation, params, [instance({ state })]));
    expect(failure.type).toBe('PlanRefused');
    expect(failure.message).toBe(text);
  });

  test.each(['delete_instance', 'stop_instance', 'start_instance', 'restart_instance'])('%s of none', (operation) => {
    const failure = failureOf(() => planOf(operation, params, []));
    expect(failure.type).toBe('TargetNotFound');
    expect(failure.message).toBe("Instance 'vm-prod-01' not found.");
  });
});

test.each([
  ['restart_instance', 'running', 'RESTARTED', "Instance 'vm-prod-01' successfully restarted."],
  ['delete_instance', 'running', 'DELETED', "Instance 'vm-prod-01' has been permanently deleted."],
  ['start_instance', 'stopped', 'STARTED', "Instance 'vm-prod-01' successfully started."],
  ['stop_instance', 'running', 'STOPPED', "Instance 'vm-prod-01' successfully stopped."],
] as const)('%s answers as the contract words it', (operation, state, status, message) => {
  const result = resultOf(operation, params, [instance({ state })]);
  expect(Object.entries(result)).toEqual([
    ['status', status],
    ['instance_id', 'vm-prod-01'],
    ['message', message],
    ['id', 'i-0123abcd'],
  ]);
});

describe('the reads', () => {
  test('list shows every instance with the fields of the contract first', () => {
    const seen = [instance(), instance({ id: 'i-0123abce', name: null, state: 'shutting-down' })];
    expect(resultOf('list_instances', {}, seen)).toEqual({
      instances: [
        { id: 'i-0123abcd', zone: 'us-east-1a', status: 'RUNNING', type: 'm5.large', name: 'vm-prod-01' },
        { id: 'i-0123abce', zone: 'us-east-1a', status: 'SHUTTING-DOWN', type: 'm5.large', name: null },
      ],
      total_count: 2,
    });
    expect(resultOf('list_instances', {}, [])).toEqual({ instances: [], total_count: 0 });
  });

  test('describe shows one in full, and none is not found', () => {
    const shown = resultOf('describe_instance', params, [instance()]);
    expect(Object.keys(shown).slice(0, 4)).toEqual(['id', 'zone', 'status', 'type']);
    expect(shown).toMatchObject({ launch_time: LAUNCHED, public_ip: '203.0.113.7', private_ip: '10.0.0.7' });
    expect(shown.tags).toEqual({ Name: 'vm-prod-01', team: 'core' });
    expect(failureOf(() => resultOf('describe_instance', params, [])).type).toBe('TargetNotFound');
  });
});
