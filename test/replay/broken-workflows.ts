// The negative control: a `runTask` and a `runJob` that wait first, which no recorded history did.
import { sleep } from '@temporalio/workflow';
import type { JobEnd } from '../../domain/activity.ts';
import type { JsonObject, TaskInput } from '../../domain/task.ts';
import type { RunJobInput } from '../../workflows/job.ts';
import { runJob as soundJob } from '../../workflows/job.ts';
import { runTask as sound } from '../../workflows/task.ts';

export async function runTask(input: TaskInput): Promise<JsonObject> {
  await sleep(1_000);
  return sound(input);
}

export async function runJob(input: RunJobInput): Promise<JobEnd> {
  await sleep(1_000);
  return soundJob(input);
}
