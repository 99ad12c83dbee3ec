// The idle sweep: looks at every member that is due, judges it, keeps the verdict, warns, and names the stops that are due.
import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { reaching } from '../clients/postgres.ts';
import type { DueStop, SweepReport } from '../domain/activity.ts';
import type { Judgement } from '../domain/idle.ts';
import type { IdleInput } from '../domain/idle-clocks.ts';
import { judge } from '../domain/idle.ts';
import { isJobId, LAUNCHED } from '../domain/job.ts';
import type { Policy } from '../domain/policy.ts';
import { idleRuleOf } from '../domain/policy.ts';
import type { Json, JsonObject } from '../domain/task.ts';
import { workflowIdOf } from '../domain/task.ts';
import { dropOldBlobs } from '../store/blobs.ts';
import { slotHolders } from '../store/jobs.ts';
import type { LeaseRow } from '../store/leases.ts';
import { leasesOn } from '../store/leases.ts';
import type { MemberRow } from '../store/members.ts';
import { markSeen } from '../store/sightings.ts';
import {
  dropOldVerdicts,
  dueMembers,
  forgetClocks,
  FAILED_STOP_PAUSE_MS,
  isBeingStopped,
  keepJudgement,
  postpone,
} from '../store/verdicts.ts';
import { budgetStops } from './budgets.ts';
import { lookAtDisks } from './disks.ts';
import { heartbeating } from './heartbeating.ts';
import { gpuPercentOf, probeMember } from './probe-member.ts';
import type { RemoteParts } from './remote-parts.ts';
import { eachOf } from './side-by-side.ts';
import { keepSight, lookAtMembers } from './sightings.ts';
import { noteFailedStop, noteJudgement } from './sweep-events.ts';

export interface SweepActivities {
  /** One sweep; what it did not reach in its time is due first in the next one. */
  sweepMembers(): Promise<SweepReport>;
}

export interface SweepParts extends RemoteParts {
  readonly policy: Policy;
}

const MEMBERS_A_SWEEP = 5_000;
const PROBES_AT_ONCE = 24;
/** A sweep ends before the next one begins; the cloud has half of it to answer. */
const SWEEP_MS = 40_000;
/** Beside the probes, which must not wait for it. */
const DISKS_MS = 10_000;
const MINUTE_MS = 60_000;

/** The activity of the cron workflow `sweepIdle`. */
export function sweepActivities(parts: SweepParts): SweepActivities {
  return { sweepMembers: () => heartbeating(() => sweep(parts)) };
}

async function sweep(parts: SweepParts): Promise<SweepReport> {
  const { db } = parts.postgres;
  const { cancellationSignal: signal } = Context.current();
  const endAt = Date.now() + SWEEP_MS;
  const due = await reaching(dueMembers(db, MEMBERS_A_SWEEP));
  const half = AbortSignal.any([signal, AbortSignal.timeout(SWEEP_MS / 2)]);
  const { looks, calls } = await lookAtMembers(parts, due, half);
  const seen = new Map(looks.map(({ row, instance }) => [row.id, instance]));
  const asleep: string[] = [];
  const awake: MemberRow[] = [];
  for (const row of due) {
    const instance = seen.get(row.id);
    if (!instance) continue;
    const observed = await keepSight(parts, row, instance);
    if (instance.state === 'running') awake.push(observed);
    else asleep.push(row.id);
  }
  await reaching(markSeen(db, [...asleep, ...awake.map(({ id }) => id)]));
  await reaching(forgetClocks(db, asleep));
  const everyMs = MINUTE_MS * parts.policy.idle.timeScale;
  // A little less than a minute, because a sweep is never quite on time.
  await reaching(
    postpone(
      db,
      due.flatMap(({ id }) => (awake.some((row) => row.id === id) ? [] : [id])),
      everyMs * 0.9,
    ),
  );
  const judged: Judged[] = [];
  const [disksCalls] = await Promise.all([
    lookAtDisks(parts, AbortSignal.any([signal, AbortSignal.timeout(DISKS_MS)])).catch(toldOnly),
    eachOf(awake, PROBES_AT_ONCE, async (row) => {
      if (Date.now() > endAt || signal.aborted) return;
      const one = await judgeOne(parts, row);
      if (one) judged.push(one);
      await reaching(postpone(db, [row.id], everyMs * 0.9));
    }),
  ]);
  // After the others, so that no member is stopped by two tasks.
  const overBudget = await budgetStops(parts, awake);
  await reaching(dropOldVerdicts(db, parts.policy.idle.keepVerdictsMs));
  await reaching(dropOldBlobs(db, parts.policy.jobs.keepLogMs));
  return {
    looked: due.length,
    probed: judged.length,
    unreachable: judged.filter(({ unreachable }) => unreachable).length,
    warned: judged.filter(({ judgement }) => judgement.next === 'warn').length,
    calls,
    disksCalls,
    stops: [...judged.flatMap(({ stop }) => (stop ? [stop] : [])), ...overBudget],
  };
}

/** What disks cost is only for people to read: no stop is lost for it. */
function toldOnly(error: unknown): number {
  Context.current().log.warn('The disks of members could not be looked at.', { error });
  return 0;
}

interface Judged {
  readonly judgement: Judgement;
  readonly unreachable: boolean;
  readonly stop: DueStop | undefined;
}

/** Undefined when another sweep has judged it meanwhile: that one knows more. */
async function judgeOne(parts: SweepParts, row: MemberRow): Promise<Judged | undefined> {
  const { postgres, policy } = parts;
  const { cloud, name } = row.settings;
  if (!cloud) throw new Error(`member ${row.id} is no cloud machine`);
  const rule = idleRuleOf(policy, cloud);
  const probe = await probeMember(parts, row, rule);
  // After the probe: whoever took the machine in the meantime is in the way of a stop. A stop of ours is no use of it.
  const stopping = row.stopTaskId === null ? undefined : workflowIdOf(row.stopTaskId);
  const leases = await reaching(leasesOn(postgres.db, [row.target]));
  const seen = await seenByProbe(parts, row, leases);
  const holders = leases.flatMap(({ holder }) => (holder === stopping || seen.includes(holder) ? [] : [holder]));
  const at = new Date();
  const input: IdleInput = {
    now: at.toISOString(),
    registeredAt: row.registeredAt.toISOString(),
    launchedAt: row.launchedAt?.toISOString() ?? null,
    lastUseAt: row.lastUseAt?.toISOString() ?? null,
    snoozedUntil: row.snoozedUntil?.toISOString() ?? null,
    clocks: row.clocks,
    holders,
    probe,
    policy: rule,
  };
  const judgement = judge(input);
  return reaching(
    postgres.transaction(async (db) => {
      const due = judgement.next === 'stop' || judgement.next === 'stop_max_run';
      const asked = due && !(await isBeingStopped(db, row, FAILED_STOP_PAUSE_MS * policy.idle.timeScale));
      const taskId = asked ? randomUUID() : null;
      const judged = { judgement, inputs: inputsOf(input), at, gpuPercent: gpuPercentOf(probe), stopTaskId: taskId };
      if (!(await keepJudgement(db, row, judged))) return undefined;
      await noteJudgement(db, row, judgement);
      if (due) await noteFailedStop(db, row);
      const ifIdle = judgement.next === 'stop';
      const by = ifIdle ? ('policy/idle' as const) : ('policy/max_run' as const);
      const stop =
        taskId === null ? undefined : { taskId, name, tenant: row.tenant, instanceId: cloud.instanceId, by, ifIdle };
      return { judgement, unreachable: 'unreachable' in probe, stop };
    }),
  );
}

/** Jobs that were launched: their heartbeat on the machine is the evidence, so that one that hangs is not use for ever. */
async function seenByProbe(
  { postgres }: SweepParts,
  { id }: MemberRow,
  leases: readonly LeaseRow[],
): Promise<string[]> {
  if (!leases.some(({ holder }) => isJobId(holder))) return [];
  const jobs = await reaching(slotHolders(postgres.db, [id]));
  return jobs.filter(({ state }) => LAUNCHED.includes(state)).map((job) => job.id);
}

/** All that a judgement follows from; `at` of the verdict is its `now`. */
function inputsOf({ probe, holders, policy, clocks, ...times }: IdleInput): JsonObject {
  const { registeredAt, launchedAt, lastUseAt, snoozedUntil } = times;
  return {
    probe: plain(probe),
    holders,
    rule: plain(policy),
    clocks: clocks && plain(clocks),
    registered_at: registeredAt,
    launched_at: launchedAt,
    last_use_at: lastUseAt,
    snoozed_until: snoozedUntil,
  };
}

/** A rule, a look or the clocks as JSON. */
function plain(value: object): Json {
  const json: Json = JSON.parse(JSON.stringify(value));
  return json;
}
