// Load while one part is killed at random moments, and what is left of it: for the tests in short, for the bench in long.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { auditFlaws, disagreements, doubledEffects, whatPends } from './agreement.ts';
import type { Random } from './random.ts';
import { startPostgres, startTemporal } from './servers.ts';
import type { System } from './system.ts';
import { startSystem } from './system.ts';

export type Victim = 'api' | 'worker' | 'temporal' | 'postgres';

export interface ChaosOptions {
  readonly victim: Victim;
  readonly kills: number;
  /** Tasks submitted in all, about half of them deletions that somebody approves. */
  readonly tasks: number;
  readonly random: Random;
}

export interface ChaosReport {
  readonly accepted: number;
  readonly completed: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly kills: number;
  /** Accepted tasks that cannot be found, or have not ended. */
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly disagreeing: readonly string[];
  readonly auditFlaws: readonly string[];
}

const SETTLE_MS = 180_000;
const TERMINAL = ['COMPLETED', 'FAILED', 'TERMINATED'];

/** Runs one storm on servers of its own. */
export async function chaos({ victim, kills, tasks, random }: ChaosOptions): Promise<ChaosReport> {
  const dir = mkdtempSync(join(tmpdir(), 'fermata-chaos-'));
  const [temporal, postgres] = await Promise.all([
    startTemporal({ dir: join(dir, 'temporal') }),
    startPostgres({ dir: join(dir, 'postgres') }),
  ]);
  const system = await startSystem({
    temporalAddress: temporal.address,
    databaseUrl: postgres.url,
    config: { confirmation: { timeout_seconds: 120 }, execution: { retry_delay_seconds: 0.2 } },
  });
  const parts = {
    api: { kill9: () => system.apiProcess.kill9(), start: () => system.apiProcess.start() },
    worker: { kill9: () => system.worker.kill9(), start: () => system.worker.start() },
    temporal: { kill9: () => temporal.kill9(), start: () => temporal.restart() },
    postgres: { kill9: () => postgres.kill9(), start: () => postgres.restart() },
  };
  const over = new AbortController();
  try {
    const names = Array.from({ length: Math.ceil(tasks / 2) }, (_, index) => `storm-${index}`);
    for (const name of names) await system.cloud.make(name);
    const accepted = new Set<string>();
    const approving = approve(system, over.signal);
    const killing = kill(parts[victim], kills, random);
    await submit(system, names, tasks, accepted, random);
    await killing;
    const statuses = await settle(system, accepted);
    over.abort();
    await approving;
    const count = (wanted: string) => [...statuses.values()].filter((status) => status.startsWith(wanted)).length;
    const failed: Record<string, number> = {};
    for (const status of statuses.values()) {
      if (!status.startsWith('COMPLETED')) failed[status] = (failed[status] ?? 0) + 1;
    }
    return {
      accepted: accepted.size,
      completed: count('COMPLETED'),
      failed,
      kills,
      lost: await Promise.all(
        [...accepted]
          .filter((id) => !TERMINAL.some((end) => statuses.get(id)?.startsWith(end)))
          .map(async (id) => `${id}, ${statuses.get(id) ?? 'unknown'}: ${await whatPends(system, id)}`),
      ),
      doubled: doubledEffects(system),
      disagreeing: await disagreements(system),
      auditFlaws: await auditFlaws(system),
    };
  } finally {
    over.abort();
    await system.stop();
    await Promise.all([temporal.stop(), postgres.stop()]);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Submits one after another; each has a key, so that a request without an answer is simply repeated. */
async function submit(
  { api }: System,
  names: readonly string[],
  tasks: number,
  accepted: Set<string>,
  random: Random,
): Promise<void> {
  for (let index = 0; index < tasks; index += 1) {
    const name = names[Math.floor(index / 2)];
    const [operation, params] =
      index % 2 === 0
        ? ['delete_instance', { instance_id: name }]
        : ['describe_instance', { instance_id: 'vm-prod-01' }];
    const key = `storm-${random.seed}-${index}`;
    for (let tries = 0; tries < 60; tries += 1) {
      try {
        accepted.add(await api.submit(String(operation), Object(params), { 'idempotency-key': key }));
        break;
      } catch {
        await pause(250);
      }
    }
    await pause(random.between(0, 30));
  }
}

/** Repeats each approval until it is answered: one whose answer was lost counts only if somebody is told so in time. */
async function approve({ api }: System, over: AbortSignal): Promise<void> {
  const unanswered = new Set<string>();
  while (!over.aborted) {
    const waiting = await api.list('?status=AWAITING_CONFIRMATION').catch(() => []);
    for (const { task_id } of waiting.slice(0, 8)) unanswered.add(task_id);
    const repeated = [...unanswered].map(async (id) => {
      const { status } = await api.confirm(id, true);
      if (status < 500) unanswered.delete(id);
    });
    await Promise.allSettled(repeated);
    await pause(50);
  }
}

async function kill(part: { kill9(): Promise<void>; start(): Promise<void> }, kills: number, random: Random) {
  for (let round = 0; round < kills; round += 1) {
    await pause(random.between(300, 2_500));
    await part.kill9();
    await pause(random.between(0, 1_500));
    await part.start();
  }
}

async function settle({ api }: System, accepted: ReadonlySet<string>): Promise<Map<string, string>> {
  const statuses = new Map<string, string>();
  const deadline = Date.now() + SETTLE_MS;
  for (let open = [...accepted]; open.length > 0 && Date.now() < deadline; await pause(100)) {
    for (const id of open) {
      const task = await api.get(id).catch(() => undefined);
      if (task) statuses.set(id, task.status === 'COMPLETED' ? 'COMPLETED' : `${task.status} ${task.reason ?? ''}`);
    }
    open = open.filter((id) => !TERMINAL.some((end) => statuses.get(id)?.startsWith(end)));
  }
  return statuses;
}
