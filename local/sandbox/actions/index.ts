// The AWS actions this cloud understands, by name.
import type { Action } from './action.ts';
import { describeInstanceStatus } from './describe-instance-status.ts';
import { describeInstanceTypes } from './describe-instance-types.ts';
import { describeInstances } from './describe-instances.ts';
import { describeTags } from './describe-tags.ts';
import { getConsoleOutput } from './get-console-output.ts';
import { modifyInstanceAttribute } from './modify-instance-attribute.ts';
import { rebootInstances, startInstances, stopInstances, terminateInstances } from './power.ts';
import { runInstances } from './run-instances.ts';
import { createSnapshot, describeSnapshots } from './snapshots.ts';
import { createTags, deleteTags } from './tag-resources.ts';
import { describeVolumes } from './volumes.ts';

const all: readonly Action[] = [
  describeInstances,
  describeInstanceStatus,
  describeInstanceTypes,
  describeTags,
  describeSnapshots,
  describeVolumes,
  getConsoleOutput,
  startInstances,
  stopInstances,
  rebootInstances,
  terminateInstances,
  runInstances,
  modifyInstanceAttribute,
  createTags,
  deleteTags,
  createSnapshot,
];

export const actions: ReadonlyMap<string, Action> = new Map(all.map((action) => [action.name, action]));
