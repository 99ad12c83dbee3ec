// Several machines at once: which nodes leave a cluster, and in which batches a service is rolled through.
import fc from 'fast-check';
import { loadConfig } from '../../config/load.ts';
import { assetPath } from '../../config/paths.ts';
import { policyOf } from '../../config/policy.ts';
import { batchesOf, growingBatches } from '../../domain/plan.ts';
import { termsOf } from '../../domain/policy.ts';
import { operationOf } from '../../operations/index.ts';
import { buildIdOf } from '../../operations/rollout.ts';
import { failureOf, fleet, instance, LAUNCHED, planOf, resultOf, TASK_ID } from './instances.ts';

describe('scale_down_cluster', () => {
  const params = (target_nodes: number) => ({ cluster_id: 'cluster-prod', target_nodes });
  const names = (operation: string, target: number, count: number) =>
    planOf(operation, params(target), fleet(count)).steps.map(({ says }) => says);

  test('reads the cluster by its tag', () => {
    const { reads } = operationOf('scale_down_cluster').prepare(params(1));
    expect(reads).toEqual({ kind: 'tag', key: 'cluster', value: 'cluster-prod' });
  });

  test('stops the newest, four at a time, and can put each back', () => {
    const { steps, says, costUsdPerHour, facts } = planOf('scale_down_cluster', params(2), fleet(8));
    expect(steps.map(({ says: one }) => one)).toEqual(
      [8, 7, 6, 5, 4, 3].map((number) => `stop node-${number} (i-0000000${number})`),
    );
    expect(batchesOf(steps).map((batch) => batch.length)).toEqual([4, 2]);
    for (const one of steps) {
      expect(one).toMatchObject({ call: 'stop_instance', undo: { call: 'start_instance', args: {} } });
      expect(one.saw.state).toBe('running');
    }
    expect(says).toMatch(/^Scale cluster cluster-prod from 8 to 2 nodes: stop the newest, node-8 \(i-00000008\), /);
    expect(costUsdPerHour).toBe(-0.576);
    expect(facts).toEqual({ previous_nodes: 8 });
  });

  test('counts those that run or start, and breaks a tie of launch times by id', () => {
    const twins = fleet(3).map((node) => ({ ...node, launchTime: LAUNCHED }));
    const seen = [...twins.toReversed(), ...fleet(9, 'stopped').slice(3), instance({ id: 'i-9', state: 'pending' })];
    const { steps, facts } = planOf('scale_down_cluster', params(2), seen);
    expect(facts).toEqual({ previous_nodes: 4 });
    expect(steps.map(({ target }) => target)).toEqual(['eu-west-1/i-00000001', 'eu-west-1/i-00000002']);
  });

  test.each([
    [8, "Cluster 'cluster-prod' runs 8 nodes: target_nodes must be an integer from 0 to 7, not 8."],
    [20, "Cluster 'cluster-prod' runs 8 nodes: target_nodes must be an integer from 0 to 7, not 20."],
  ])('a target of %d of 8 is refused', (target, text) => {
    const failure = failureOf(() => planOf('scale_down_cluster', params(target), fleet(8)));
    expect(failure.type).toBe('PlanRefused');
    expect(failure.message).toBe(text);
  });

  test('an unknown cluster, and one in which nothing runs', () => {
    const unknown = failureOf(() => planOf('scale_down_cluster', params(1), []));
    expect([unknown.type, unknown.message]).toEqual(['TargetNotFound', "Cluster 'cluster-prod' not found."]);
    const still = failureOf(() => planOf('scale_down_cluster', params(0), fleet(3, 'stopped')));
    expect([still.type, still.message]).toEqual(['PlanRefused', "None of the 3 nodes of cluster 'cluster-prod' runs."]);
  });

  test('stops exactly the difference, none twice, whatever the order in which they were seen', () => {
    const cases = fc.integer({ min: 1, max: 30 }).chain((count) =>
      fc.record({
        target: fc.integer({ min: 0, max: count - 1 }),
        seen: fc.shuffledSubarray(fleet(count), { minLength: count }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ target, seen }) => {
        const { steps } = planOf('scale_down_cluster', params(target), seen);
        expect(new Set(steps.map((one) => one.target)).size).toBe(seen.length - target);
        expect(steps.map(({ says }) => says)).toEqual(names('scale_down_cluster', target, seen.length));
        expect(batchesOf(steps).every((batch) => batch.length <= 4)).toBe(true);
      }),
    );
  });

  test('answers as the contract words it', () => {
    expect(Object.entries(resultOf('scale_down_cluster', params(2), fleet(8)))).toEqual([
      ['status', 'SCALED_DOWN'],
      ['cluster_id', 'cluster-prod'],
      ['previous_nodes', 8],
      ['current_nodes', 2],
      ['message', "Cluster 'cluster-prod' scaled from 8 → 2 nodes."],
    ]);
  });
});

describe('rolling through a service', () => {
  const deploy = { service_name: 'api-gateway', image_tag: 'v2' };
  const restart = { service_name: 'api-gateway' };

  test.each([
    ['deploy_to_production', deploy],
    ['restart_production_service', restart],
  ])('%s reads the service by its tag, and refuses one that is unknown or does not run', (operation, params) => {
    expect(operationOf(operation).prepare(params).reads).toEqual({ kind: 'tag', key: 'service', value: 'api-gateway' });
    const unknown = failureOf(() => planOf(operation, params, []));
    expect([unknown.type, unknown.message]).toEqual(['TargetNotFound', "Service 'api-gateway' not found."]);
    const still = failureOf(() => planOf(operation, params, fleet(2, 'stopped')));
    expect([still.type, still.message]).toEqual([
      'PlanRefused',
      "None of the 2 instances of service 'api-gateway' runs.",
    ]);
  });

  test('a batch is tagged, then rebooted, before the next begins; a tag can be put back, a reboot not', () => {
    const seen = [...fleet(4, 'running', { image: 'v1' }), ...fleet(6, 'stopped').slice(4)];
    const { steps, says, facts } = planOf('deploy_to_production', deploy, seen);
    expect(batchesOf(steps).map((batch) => batch.map(({ id }) => id))).toEqual([
      ['tag-i-00000001'],
      ['reboot-i-00000001'],
      ['tag-i-00000002', 'tag-i-00000003'],
      ['reboot-i-00000002', 'reboot-i-00000003'],
      ['tag-i-00000004'],
      ['reboot-i-00000004'],
    ]);
    expect(steps[0]).toMatchObject({
      call: 'set_tag',
      args: { key: 'image', value: 'v2' },
      saw: { value: 'v1' },
      undo: { call: 'set_tag', args: { key: 'image', value: 'v1' } },
      says: 'set image=v2 on node-1 (i-00000001), now v1',
    });
    expect(steps[1]).toMatchObject({ call: 'reboot_instance', undo: { none: 'a reboot cannot be taken back' } });
    expect(says).toMatch(/^Deploy image v2 to 4 instances of api-gateway, in batches of 1, 2, 1: /);
    expect(facts).toEqual({ instances: 4 });
  });

  test('an instance without the tag gets it taken away again by the undo', () => {
    const [first] = planOf('deploy_to_production', deploy, fleet(1)).steps;
    expect(first?.undo).toEqual({ call: 'set_tag', args: { key: 'image', value: null } });
    expect(first?.saw).toEqual({ value: null });
    expect(first?.says).toMatch(/now without an image tag$/);
  });

  test('a restart only reboots, in growing batches, each instance once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
        const { steps } = planOf('restart_production_service', restart, fleet(count));
        expect(batchesOf(steps).map((batch) => batch.length)).toEqual(growingBatches(count));
        expect(new Set(steps.map(({ target }) => target)).size).toBe(count);
        expect(steps.every(({ call }) => call === 'reboot_instance')).toBe(true);
      }),
    );
  });

  test.each([
    ['deploy_to_production', deploy],
    ['restart_production_service', restart],
    ['scale_down_cluster', { cluster_id: 'c', target_nodes: 0 }],
  ])('as shipped, %s of 24 instances has at least twice the time that it plans with', (name, params) => {
    const { steps } = planOf(name, params, fleet(24));
    const plannedS = batchesOf(steps)
      .map((batch) => Math.max(...batch.map(({ estimatedSeconds }) => estimatedSeconds)))
      .reduce((sum, seconds) => sum + seconds, 0);
    expect(plannedS).toBeGreaterThan(300);
    const prepared = operationOf(name).prepare(params);
    const least = prepared.effect === 'read' ? undefined : prepared.deadlineMs;
    const { deadlineMs } = termsOf(operationOf(name), policyOf(loadConfig(assetPath('config.json'))), undefined, least);
    expect(deadlineMs).toBeGreaterThanOrEqual(2_000 * plannedS);
  });

  test('answer as the contract words it', () => {
    const build = buildIdOf(TASK_ID);
    expect(Object.entries(resultOf('deploy_to_production', deploy, fleet(2)))).toEqual([
      ['status', 'DEPLOYED'],
      ['service_name', 'api-gateway'],
      ['image_tag', 'v2'],
      ['build_id', build],
      ['message', `Service 'api-gateway' successfully updated to image 'v2' (build: ${build}).`],
    ]);
    expect(resultOf('restart_production_service', restart, fleet(2))).toEqual({
      status: 'RESTARTED',
      service_name: 'api-gateway',
      instances: 2,
      message: "Service 'api-gateway' successfully restarted.",
    });
  });

  test('a build number is one of the contract, and the same for a task whenever it is asked', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        const number = Number(/^build-(\d{5})$/.exec(buildIdOf(id))?.[1]);
        expect(number).toBeGreaterThanOrEqual(10_000);
        expect(number).toBeLessThanOrEqual(99_999);
        expect(buildIdOf(id)).toBe(buildIdOf(id));
      }),
    );
    expect(buildIdOf(TASK_ID)).not.toBe(buildIdOf('11234567-89ab-4cde-8f01-23456789abcd'));
  });
});
