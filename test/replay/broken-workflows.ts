// The negative control: a `runTask` that waits first, which no recorded history did.
import { sleep } from '@temporalio/workflow';
import type { JsonObject, TaskInput } from '../../domain/task.ts';
import { runTask as sound } from '../../workflows/task.ts';

export async function runTask(input: TaskInput): Promise<JsonObject> {
  await sleep(1_000);
  return sound(input);
}
