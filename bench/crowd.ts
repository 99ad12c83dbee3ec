// Ten thousand tasks that await a decision: what a safe task, a list and memory cost meanwhile, and how they all end.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { System } from '../test/kit/system.ts';
import { until } from '../test/kit/until.ts';
import { makeRunning } from './instances.ts';
import { residentMb } from './memory.ts';
import type { BenchOptions, Finding, Measurement } from './measurement.ts';
import { readOnce } from './reads.ts';
import { withSystem } from './servers.ts';
import { inParallel, median, quantile, spread, timed } from './statistics.ts';

const AT_A_TIME = 32;
const READS = 60;
const PAGES = 100;
/** These get an instance each and are approved at the end. */
const APPROVED = 100;
const LOOK_MS = 10_000;
/** What the measurements take between the making and the first expiry, s. */
const SLACK_S = 240;

const submitted = z.looseObject({ task_id: z.string() });

export const crowd: Measurement = {
  name: 'crowd',
  about: 'a safe task, the list and memory with many tasks awaiting a decision (--waiting, --minutes)',
  run: (options: BenchOptions) => {
    const timeoutS = options.minutes * 60 + SLACK_S;
    return withSystem({ config: { confirmation: { timeout_seconds: timeoutS } } }, async (system) => {
      const memory = watchMemory(system);
      try {
        const alone = await readTimes(system);
        const ids = await gather(system, options, memory);
        const crowded = await readTimes(system);
        const ratio = median(crowded) / median(alone);
        options.say(`a safe task takes ${ratio.toFixed(2)} times as long with them; ${memory.now()}`);
        return [
          {
            what: 'tasks awaiting a decision',
            bound: '',
            measured: `${await waiting(system)} of ${options.waiting}`,
          },
          {
            what: 'safe task with them / without',
            bound: '<= 1.5',
            measured: `${ratio.toFixed(2)}: ${spread(crowded, ' ms')} / ${spread(alone, ' ms')}`,
            holds: ratio <= 1.5,
          },
          ...(await pages(system, options)),
          ...memory.findings('waiting'),
          ...(await ends(system, options, ids)),
          ...memory.findings('afterwards'),
        ];
      } finally {
        memory.stop();
      }
    });
  },
};

async function readTimes(system: System): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < READS; index += 1) times.push(await timed(() => readOnce(system)));
  // The first ones warm up.
  return times.slice(10);
}

/** Makes the tasks, each waited for until it awaits its decision. Returns the ids, those to be approved first. */
async function gather(system: System, options: BenchOptions, memory: Memory): Promise<string[]> {
  const { waiting: wanted, minutes, say } = options;
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const ids: string[] = [];
  const make = async (index: number) => {
    const own = index < APPROVED;
    if (own) await makeRunning(system, `crowd-${index}`);
    const params = { instance_id: own ? `crowd-${index}` : 'vm-prod-02' };
    const body = { operation: 'delete_instance', resource: 'crowd', params };
    const { status, body: answer, text } = await system.api.call('POST', '/api/v1/tasks', body, { prefer: 'wait=20' });
    if (status !== 202) throw new Error(`submit: ${status} ${text}`);
    ids.push(submitted.parse(answer).task_id);
  };
  const progress = setInterval(() => {
    const rate = (ids.length / seconds()).toFixed(1);
    say(`${ids.length} tasks in ${seconds().toFixed(0)} s, ${rate}/s, ${memory.now()}`);
  }, LOOK_MS);
  try {
    await inParallel(APPROVED, AT_A_TIME, make);
    await inParallel(
      wanted - APPROVED,
      AT_A_TIME,
      (index) => make(APPROVED + index),
      () => seconds() < minutes * 60,
    );
  } finally {
    clearInterval(progress);
  }
  await until('all await a decision', async () => (await waiting(system)) === ids.length, 60_000);
  say(`${ids.length} await a decision after ${seconds().toFixed(0)} s, ${(ids.length / seconds()).toFixed(1)}/s`);
  return ids;
}

async function waiting(system: System): Promise<number> {
  return (await countByStatus(system)).AWAITING_CONFIRMATION ?? 0;
}

async function countByStatus({ db }: System): Promise<Record<string, number>> {
  const { rows } = await db.query<{ status: string; count: string }>(
    "select status, count(*) from tasks where operation = 'delete_instance' group by status",
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
}

/** The first page of the list, as it comes without a limit and with a small one. */
async function pages({ api }: System, { say }: BenchOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, query] of [
    ['1000 tasks', ''],
    ['100 tasks', '?limit=100'],
  ]) {
    const times: number[] = [];
    for (let index = 0; index < PAGES; index += 1) {
      times.push(await timed(() => api.call('GET', `/api/v1/tasks${query}`)));
    }
    const p95 = quantile(times, 0.95);
    say(`first page, ${name}: p95 ${p95.toFixed(0)} ms`);
    findings.push({
      what: `first page of the list, ${name}, p95`,
      bound: '<= 50 ms',
      measured: `${p95.toFixed(0)} ms, median ${spread(times, ' ms')}`,
      holds: p95 <= 50,
    });
  }
  return findings;
}

/** Approves those with an instance of their own, cancels the newest half of the others, and lets the rest expire. */
async function ends(system: System, { say }: BenchOptions, ids: readonly string[]): Promise<Finding[]> {
  const { api } = system;
  const began = performance.now();
  const approved = ids.slice(0, APPROVED);
  await inParallel(approved.length, 8, async (index) => {
    const id = approved[index] ?? '';
    const { status, text } = await api.confirm(id, true);
    if (status !== 200) throw new Error(`confirm: ${status} ${text}`);
    await api.end(id);
  });
  say(`approved ones have ended after ${((performance.now() - began) / 1000).toFixed(0)} s`);
  const cancelled = ids.slice(Math.max(APPROVED, Math.ceil(ids.length / 2)));
  await inParallel(cancelled.length, AT_A_TIME, (index) => api.cancel(cancelled[index] ?? ''));
  say(`${cancelled.length} cancelled after ${((performance.now() - began) / 1000).toFixed(0)} s, the others expire`);
  const left = ids.length - approved.length - cancelled.length;
  let counts = await countByStatus(system);
  const patience = performance.now() + 20 * 60_000;
  for (let said = 0; (counts.FAILED ?? 0) < left || (counts.TERMINATED ?? 0) < cancelled.length;) {
    await pause(1_000);
    counts = await countByStatus(system);
    if (performance.now() > patience) break;
    if (performance.now() - said < LOOK_MS) continue;
    said = performance.now();
    say(JSON.stringify(counts));
  }
  const { COMPLETED = 0, TERMINATED = 0, FAILED = 0 } = counts;
  return [
    {
      what: 'how they ended: completed / cancelled / expired',
      bound: `= ${approved.length} / ${cancelled.length} / ${left}`,
      measured: `${COMPLETED} / ${TERMINATED} / ${FAILED}`,
      holds: COMPLETED === approved.length && TERMINATED === cancelled.length && FAILED === left,
    },
  ];
}

type Memory = ReturnType<typeof watchMemory>;

/** Looks at the memory of worker and API now and then, and remembers the most since the last finding. */
function watchMemory({ worker, apiProcess }: System) {
  let most = { worker: 0, api: 0 };
  const look = () => {
    const seen = { worker: residentMb(worker.pid), api: residentMb(apiProcess.pid) };
    most = { worker: Math.max(most.worker, seen.worker), api: Math.max(most.api, seen.api) };
    return seen;
  };
  const timer = setInterval(look, 1_000);
  return {
    now: () => {
      const seen = look();
      return `worker ${seen.worker.toFixed(0)} MB, API ${seen.api.toFixed(0)} MB`;
    },
    findings: (when: string): Finding[] => {
      look();
      const { worker: workerMb, api } = most;
      most = { worker: 0, api: 0 };
      return [
        {
          what: `worker memory, most, ${when}`,
          bound: '<= 600 MB',
          measured: `${workerMb.toFixed(0)} MB`,
          holds: workerMb <= 600,
        },
        { what: `API memory, most, ${when}`, bound: '', measured: `${api.toFixed(0)} MB` },
      ];
    },
    stop: () => clearInterval(timer),
  };
}
