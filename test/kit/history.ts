// What a workflow cost: its history, counted.
import type { Client } from '@temporalio/client';

export interface Cost {
  readonly events: number;
  readonly workflowTasks: number;
  /** How many events of each type. */
  readonly types: Readonly<Record<string, number>>;
}

/** Counts the history of a closed workflow. */
export async function costOf(client: Client, workflowId: string): Promise<Cost> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const types: Record<string, number> = {};
  for (const event of events ?? []) {
    const [type = 'unknown'] = Object.keys(event).filter((key) => key.endsWith('EventAttributes'));
    types[type] = (types[type] ?? 0) + 1;
  }
  return {
    events: events?.length ?? 0,
    workflowTasks: types.workflowTaskCompletedEventAttributes ?? 0,
    types,
  };
}
