// Safe reads as callers make them, to their end.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { System } from '../test/kit/system.ts';

const state = z.looseObject({ status: z.string() });
const ENDED = ['COMPLETED', 'FAILED', 'TERMINATED'];

/** One safe read over HTTP: submitted, then waited for. Returns its id; throws when it does not complete. */
export async function readOnce({ api }: System): Promise<string> {
  const id = await api.submit('describe_instance', { instance_id: 'vm-prod-01' });
  for (;;) {
    const { status, body, text } = await api.call('GET', `/api/v1/tasks/${id}`, undefined, { prefer: 'wait=20' });
    if (status !== 200) throw new Error(`GET task: ${status} ${text}`);
    const ended = state.parse(body).status;
    if (ended === 'COMPLETED') return id;
    if (ENDED.includes(ended)) throw new Error(`task ${id}: ${text}`);
  }
}

/** Waits until Temporal says that the workflow of a task has closed. */
export async function closed({ temporal }: System, id: string): Promise<void> {
  const handle = temporal.workflow.getHandle(`task-${id}`);
  for (let tries = 0; tries < 600; tries += 1) {
    if ((await handle.describe()).status.name !== 'RUNNING') return;
    await pause(50);
  }
  throw new Error(`the workflow of task ${id} does not close`);
}
