// Reading the cloud: for the operations that only read, and for a plan, which is hashed here.
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { Clouds } from '../clients/ec2.ts';
import type { Postgres, Queries } from '../clients/postgres.ts';
import { reaching } from '../clients/postgres.ts';
import type { PlanInput, ReadInput, RecordInput } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { Instance, InstanceQuery } from '../domain/instance.ts';
import { isInstanceId, targetOf } from '../domain/instance.ts';
import { isEnded, jobIdOf, LAUNCHED } from '../domain/job.ts';
import type { Plan, PlanDraft } from '../domain/plan.ts';
import { leaseModeOf, planText, throughProfile } from '../domain/plan.ts';
import type { Policy } from '../domain/policy.ts';
import type { JsonObject } from '../domain/task.ts';
import type { PlanContext } from '../operations/operation.ts';
import { operationOf } from '../operations/index.ts';
import type { MemberRow } from '../store/members.ts';
import { findMember, memberOnInstance, membersOnTargets } from '../store/members.ts';
import { jobById, slotHolders } from '../store/jobs.ts';
import type { TaskRow } from '../store/tasks.ts';
import { findTask } from '../store/tasks.ts';
import { attempt } from './attempt.ts';
import { instanceOfMember } from './member-access.ts';
import type { RecordActivities, RecordAnswer } from './record.ts';

export interface ReadAnswer {
  readonly result: JsonObject;
  readonly attempts: number;
  /** What came of recording it; absent when it could not be recorded, or was not to be. */
  readonly recorded?: RecordAnswer;
}

export interface ObserveActivities {
  read(input: ReadInput): Promise<ReadAnswer>;
  /** Makes the plan of a change; throws why there is none. */
  makePlan(input: PlanInput): Promise<Plan>;
}

interface ObserveParts {
  readonly clouds: Clouds;
  readonly postgres: Postgres;
  readonly policy: Policy;
  readonly record: RecordActivities['record'];
}

/** The activities that only look. */
export function observeActivities(parts: ObserveParts): ObserveActivities {
  return {
    read: (input) =>
      attempt(input, async (attempts, signal) => {
        const prepared = operationOf(input.operation).prepare(input.params);
        if (prepared.effect !== 'read') throw new Failure('PlanRefused', { why: `${input.operation} is not a read` });
        const result = prepared.answer(await parts.clouds.home.find(prepared.reads, { signal }));
        return input.closes ? closing(parts, input, input.closes, { result, attempts }) : { result, attempts };
      }),
    makePlan: (input) =>
      attempt(input, async (_, signal) => {
        const prepared = operationOf(input.operation).prepare(input.params);
        if (prepared.effect === 'read') return hashed(parts, planOfRead(input.operation));
        const { reads } = prepared;
        const { seen, context, profile } =
          reads.kind === 'member'
            ? await seeMember(parts, input.tenant, reads.ref, signal)
            : await seeInstances(parts, input.tenant, reads, signal);
        return hashed(parts, await withGuards(parts, input, throughProfile(prepared.plan(seen, context), profile)));
      }),
  };
}

/** Records the answer in the same go, which spares the workflow a turn; what cannot be recorded here it records itself. */
async function closing(
  { postgres, record }: ObserveParts,
  { tenant }: ReadInput,
  closes: RecordInput,
  { result, attempts }: ReadAnswer,
): Promise<ReadAnswer> {
  const wish = closes.wish && { ...closes.wish, result, attempts };
  const recorded = await record({ ...closes, wish }).catch(() => undefined);
  if (!recorded) return { result, attempts };
  // An attempt that was lost may have recorded its own answer, which then is the answer.
  const repeated = Context.current().info.attempt > 1 && recorded.event?.to === 'COMPLETED';
  const kept = repeated ? await reaching(findTask(postgres.db, tenant, closes.taskId)) : undefined;
  return { result: kept?.row.result ?? result, attempts, recorded };
}

interface Seen {
  readonly seen: readonly Instance[];
  readonly context: PlanContext;
  /** Through which AWS profile they were seen; null for the worker's own credentials. */
  readonly profile: string | null;
}

async function seeMember(parts: ObserveParts, tenant: string, ref: string, signal: AbortSignal): Promise<Seen> {
  const { postgres, clouds, policy } = parts;
  const row = await reaching(findMember(postgres.db, tenant, ref));
  if (!row) throw new Failure('MemberNotFound', { ref });
  const instance = await instanceOfMember({ clouds }, row.settings, signal);
  const { id, target, settings } = row;
  return {
    seen: instance ? [instance] : [],
    context: {
      region: settings.cloud?.region ?? clouds.home.region,
      agents: policy.agents,
      prices: policy.prices,
      member: { id, target, settings },
    },
    profile: settings.cloud?.profile ?? null,
  };
}

/** An instance of a member is looked for where the member says it is, by its id or by the member's name. */
async function seeInstances(
  { postgres, clouds, policy }: ObserveParts,
  tenant: string,
  query: InstanceQuery,
  signal: AbortSignal,
): Promise<Seen> {
  const row = query.kind === 'one' ? await memberFor(postgres, tenant, query.ref) : undefined;
  const cloud = row?.settings.cloud;
  const ec2 = cloud ? clouds.of(cloud.region, cloud.profile) : clouds.home;
  const seen = await ec2.find(cloud ? { kind: 'one', ref: cloud.instanceId } : query, { signal });
  const launched =
    query.kind === 'one'
      ? await jobsOn(
          postgres,
          seen.map(({ id }) => targetOf(ec2.region, id)),
        )
      : [];
  return {
    seen,
    profile: cloud?.profile ?? null,
    context: {
      region: ec2.region,
      agents: policy.agents,
      prices: policy.prices,
      ...(launched.length > 0 && { jobs: launched }),
    },
  };
}

/** The jobs that run on these, by whatever name they were asked for. */
async function jobsOn({ db }: Postgres, targets: readonly string[]): Promise<string[]> {
  const members = await reaching(membersOnTargets(db, targets));
  const jobs = await reaching(
    slotHolders(
      db,
      members.map(({ id }) => id),
    ),
  );
  return jobs.filter(({ state }) => LAUNCHED.includes(state)).map(({ id }) => id);
}

/** Ids are unambiguous; a name is a member's only when it is that of no instance, so it is not asked for here. */
async function memberFor({ db }: Postgres, tenant: string, ref: string): Promise<MemberRow | undefined> {
  return isInstanceId(ref) ? reaching(memberOnInstance(db, tenant, ref)) : undefined;
}

/** Marks a plan that changes a guarded member, unless it clears the way for a task that has its decision. */
async function withGuards({ postgres }: ObserveParts, input: PlanInput, draft: PlanDraft): Promise<PlanDraft> {
  const targets = [...draft.steps.map(({ target }) => target), ...(draft.needs ? [draft.needs.target] : [])];
  const rows = await reaching(membersOnTargets(postgres.db, targets));
  const guarded = rows.filter(({ settings }) => settings.guarded);
  if (guarded.length === 0 || (await isCovered(postgres, input, draft))) return draft;
  return { ...draft, guarded: [...guarded.map(({ settings }) => settings.name).sort(), ...(draft.guarded ?? [])] };
}

/** A start is covered by the plan of a running task that needs this very machine and was approved, or needed no approval. */
async function isCovered({ db }: Postgres, { tenant, onBehalfOf }: PlanInput, draft: PlanDraft): Promise<boolean> {
  if (onBehalfOf === undefined) return false;
  const found = await reaching(findTask(db, tenant, onBehalfOf));
  if (found?.row.operation === 'start_job') return isCoveredByJob(db, found.row, draft);
  const plan = found?.row.plan;
  if (!plan?.needs || found?.row.status !== 'RUNNING') return false;
  if (plan.guarded && found.row.approved !== true) return false;
  const { target, start } = plan.needs;
  return (
    start === 'if_stopped' && draft.steps.every((step) => step.target === target && leaseModeOf(step.call) === 'shared')
  );
}

/** The start of the machine, and the fetching of the artifacts, of a job that was accepted, with a decision where that was needed, and has not ended. */
async function isCoveredByJob(db: Queries, { id, plan, approved }: TaskRow, draft: PlanDraft): Promise<boolean> {
  const job = await reaching(jobById(db, jobIdOf(id)));
  if (!job || isEnded(job.state) || (plan?.guarded && approved !== true)) return false;
  const onItsMachine = draft.steps.every(({ target }) => plan?.steps.some((step) => step.target === target) === true);
  const starts = draft.steps.every(({ call }) => call === 'start_instance');
  const fetches = draft.steps.every(
    ({ call, args: { path } }) => call === 'get_file' && typeof path === 'string' && job.spec.artifacts.includes(path),
  );
  return onItsMachine && ((starts && job.spec.start === 'if_stopped') || fetches);
}

/** Config may want a decision even on a read: then there is a plan to decide on, without a step. */
function planOfRead(operation: string): PlanDraft {
  return {
    steps: [],
    says: `${operationOf(operation).description}; nothing is changed.`,
    costUsdPerHour: 0,
    facts: {},
  };
}

function hashed({ policy: { prices } }: ObserveParts, draft: PlanDraft): Plan {
  const digest = createHash('sha256').update(planText(draft)).digest('hex');
  return { ...draft, digest, ...(prices && { pricesAsOf: prices.asOf }) };
}
