// The catalogue: every operation there is, in the order in which callers see them, and the check made at start-up.
import { Failure } from '../domain/failures.ts';
import type { RiskPolicy } from '../domain/risk.ts';
import { unguarded } from '../domain/risk.ts';
import { executePrompt, runCommand } from './commands.ts';
import { deleteInstance } from './delete-instance.ts';
import { describeInstance, listInstances } from './instances.ts';
import { receiveFiles, sendFiles } from './files.ts';
import type { Operation } from './operation.ts';
import { pythonList } from './operation.ts';
import { provisionMember } from './provision-member.ts';
import { removeMember } from './remove-member.ts';
import { restartInstance, startInstance, stopInstance } from './power.ts';
import { scaleDownCluster } from './scale-down-cluster.ts';
import { startJob } from './start-job.ts';
import { deployToProduction, restartProductionService } from './rollout.ts';

export type { Operation, Prepared } from './operation.ts';

/** The contract's six come first, in its order. */
export const CATALOGUE: readonly Operation[] = [
  listInstances,
  describeInstance,
  restartInstance,
  deleteInstance,
  scaleDownCluster,
  deployToProduction,
  startInstance,
  stopInstance,
  restartProductionService,
  runCommand,
  executePrompt,
  sendFiles,
  receiveFiles,
  startJob,
  provisionMember,
  removeMember,
];

const BY_NAME = new Map(CATALOGUE.map((operation) => [operation.name, operation]));

/** The entry of that name. Throws `UnknownOperation`. */
export function operationOf(name: string): Operation {
  const operation = BY_NAME.get(name);
  if (operation) return operation;
  throw new Failure('UnknownOperation', { operation: name, available: pythonList([...BY_NAME.keys()]) });
}

/** The sentence that stops the start-up when config leaves a destroying operation unguarded; undefined when it does not. */
export function catalogueFlaw(policy: RiskPolicy): string | undefined {
  const names = unguarded(CATALOGUE, policy);
  if (names.length === 0) return undefined;
  return (
    `${pythonList(names)} destroy things but high_risk_operations does not list them, so they would run without ` +
    `a decision. Add them to high_risk_operations, or to allow_unguarded if that is what you want.`
  );
}
