// Scaling a cluster down: the newest nodes are stopped until the wanted number runs.
import { z } from 'zod';
import { Failure } from '../domain/failures.ts';
import { usdPerHour } from '../domain/prices.ts';
import { changeOperation } from './operation.ts';
import { STOPS_MS, called, label, stopStep } from './targets.ts';

/** Nodes stopped side by side: enough to be quick, few enough to stop in between. */
const NODES_AT_ONCE = 4;

const SCALES_DOWN_MS = 2 * STOPS_MS;

export const scaleDownCluster = changeOperation({
  name: 'scale_down_cluster',
  description: 'Reduce the node count of a Kubernetes cluster',
  effect: 'change',
  params: z.strictObject({ cluster_id: label, target_nodes: z.int().min(0) }),
  reads: ({ cluster_id }) => ({ kind: 'tag', key: 'cluster', value: cluster_id }),
  // Batches of four, each as slow as its slowest node.
  deadlineMs: () => SCALES_DOWN_MS,
  plan: ({ cluster_id, target_nodes }, seen, context) => {
    if (seen.length === 0) throw new Failure('TargetNotFound', { what: 'Cluster', id: cluster_id });
    const running = seen
      .filter(({ state }) => state === 'running' || state === 'pending')
      .sort((a, b) => b.launchTime.localeCompare(a.launchTime) || a.id.localeCompare(b.id));
    if (running.length === 0) {
      throw new Failure('PlanRefused', { why: `None of the ${seen.length} nodes of cluster '${cluster_id}' runs.` });
    }
    if (target_nodes >= running.length) {
      throw new Failure('PlanRefused', {
        why:
          `Cluster '${cluster_id}' runs ${running.length} nodes: target_nodes must be an integer from 0 to ` +
          `${running.length - 1}, not ${target_nodes}.`,
      });
    }
    const leaving = running.slice(0, running.length - target_nodes);
    const saved = usdPerHour(
      leaving.map(({ type }) => type),
      context.prices,
    );
    return {
      steps: leaving.map((node, index) => stopStep(node, Math.floor(index / NODES_AT_ONCE), context)),
      says:
        `Scale cluster ${cluster_id} from ${running.length} to ${target_nodes} nodes: ` +
        `stop the newest, ${leaving.map(called).join(', ')}.`,
      costUsdPerHour: saved === null ? null : -saved,
      facts: { previous_nodes: running.length },
    };
  },
  result: ({ cluster_id, target_nodes }, { facts }) => ({
    status: 'SCALED_DOWN',
    cluster_id,
    previous_nodes: facts.previous_nodes ?? null,
    current_nodes: target_nodes,
    message: `Cluster '${cluster_id}' scaled from ${String(facts.previous_nodes)} → ${target_nodes} nodes.`,
  }),
});
