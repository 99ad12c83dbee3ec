// What a task costs: its workflow tasks and history events, counted on the real server.
import { costOf } from '../test/kit/history.ts';
import type { System } from '../test/kit/system.ts';
import { makeRunning } from './instances.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { closed, readOnce } from './reads.ts';
import { withSystem } from './servers.ts';

const TIMES = 5;

export const budget: Measurement = {
  name: 'budget',
  about: 'workflow tasks and history events of a safe read and of an approved task of one step',
  run: ({ say }: BenchOptions) =>
    withSystem({ config: { confirmation: { timeout_seconds: 120 } } }, async (system) => {
      const safe: string[] = [];
      const approved: string[] = [];
      for (let index = 0; index < TIMES; index += 1) {
        safe.push(await readOnce(system));
        approved.push(await approve(system, `budget-${index}`));
      }
      say(`${TIMES} of each have ended`);
      return [
        ...(await costs(system, 'safe read', safe, { workflowTasks: 2, events: 16 })),
        ...(await costs(system, 'approved task of one step', approved, { workflowTasks: 4, events: 34 })),
      ];
    }),
};

async function approve(system: System, name: string): Promise<string> {
  const { api } = system;
  await makeRunning(system, name);
  const id = await api.submit('delete_instance', { instance_id: name });
  await api.reach(id, 'AWAITING_CONFIRMATION');
  const { status, text } = await api.confirm(id, true);
  if (status !== 200) throw new Error(`confirm: ${status} ${text}`);
  const ended = await api.end(id);
  if (ended.status !== 'COMPLETED') throw new Error(`task ${id}: ${ended.status} ${ended.error ?? ''}`);
  return id;
}

async function costs(
  system: System,
  what: string,
  ids: readonly string[],
  bound: { readonly workflowTasks: number; readonly events: number },
): Promise<Finding[]> {
  const workflowTasks: number[] = [];
  const events: number[] = [];
  for (const id of ids) {
    await closed(system, id);
    const cost = await costOf(system.temporal, `task-${id}`);
    workflowTasks.push(cost.workflowTasks);
    events.push(cost.events);
  }
  // Each of them must hold: these are counts, not times.
  const [most, mostEvents] = [Math.max(...workflowTasks), Math.max(...events)];
  return [
    {
      what: `${what}: workflow tasks`,
      bound: `= ${bound.workflowTasks}`,
      measured: workflowTasks.join(' '),
      holds: most === bound.workflowTasks && Math.min(...workflowTasks) === most,
    },
    {
      what: `${what}: history events`,
      bound: `<= ${bound.events}`,
      measured: events.join(' '),
      holds: mostEvents <= bound.events,
    },
  ];
}
