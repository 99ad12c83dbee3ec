// Getting a member ready: asking for it, looking at its machine, reaching it by SSH, and noting that it is so.
import { setTimeout as pause } from 'node:timers/promises';
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { WorkflowClient } from '@temporalio/client';
import { reaching } from '../clients/postgres.ts';
import { isRunning } from '../clients/temporal.ts';
import type { MemberLook, ReadyWish } from '../domain/activity.ts';
import { Failure, failureRow } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import type { MemberRow } from '../store/members.ts';
import { markMemberReady } from '../store/member-observed.ts';
import { noteOnce } from '../store/member-events.ts';
import { earliestRenewal } from '../store/ready-runs.ts';
import { heartbeating } from './heartbeating.ts';
import { addressOf, lookAt, memberRow, noteChangedKey } from './member-access.ts';
import { BOOT_ID_COMMAND } from './remote/boot-id.ts';
import type { RemoteParts } from './remote-parts.ts';
import { readyStepsOf } from './shipped-steps.ts';

export interface MemberActivities {
  /** Asks the workflow of the member; `ready` when it was found ready a moment ago and still runs, so that nobody has to wait. */
  askReady(wish: ReadyWish): Promise<{ readonly ready: boolean }>;
  /** The first of these workflows that still runs, so that it still wants what it asked for; null when none does. */
  whoStillAsks(input: { readonly askers: readonly string[] }): Promise<{ readonly asker: string | null }>;
  /** What the cloud shows of its machine. Throws `MemberNotFound`. */
  lookAtMember(input: { readonly memberId: string }): Promise<MemberLook>;
  /** Waits until it can be logged in to; the boot it is in. */
  reachMember(input: { readonly memberId: string }): Promise<{ readonly bootId: string }>;
  /** Notes that it is ready; when something that a step brought runs out, ISO. */
  markReady(input: {
    readonly memberId: string;
    readonly bootId: string;
    readonly note: string | null;
  }): Promise<{ readonly renewAt: string | null }>;
  /** The same after a round in which it did not get ready, which is an event when something is to be renewed. */
  nextRenewal(input: {
    readonly memberId: string;
    /** Null when an event says it already. */
    readonly why: string | null;
  }): Promise<{ readonly renewAt: string | null }>;
}

export interface ReadyParts extends RemoteParts {
  readonly workflows: WorkflowClient;
  readonly taskQueue: string;
  readonly policy: Policy;
}

/** The Temporal workflow id under which a member is made ready. */
function readyWorkflowId(memberId: string): string {
  return `ready-${memberId}`;
}

/** A member found ready later than this is not looked at again: a command brings its own look. */
const FRESH_MS = 30_000;
const LOOK_MS = 15_000;
const HANDSHAKE_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;

/** True when it is ready; else it is made so, and whoever asked is told by a signal. */
export async function getReady(parts: ReadyParts, wish: ReadyWish): Promise<{ readonly ready: boolean }> {
  const { workflows, taskQueue } = parts;
  const row = await memberRow(parts, wish.memberId);
  const fresh = wish.provision === undefined && isFresh(row) && isFresh(await lookNow(parts, row));
  if (fresh && !(await mustRun(parts, row))) return { ready: true };
  await workflows.signalWithStart('readyMember', {
    workflowId: readyWorkflowId(wish.memberId),
    taskQueue,
    args: [{ memberId: wish.memberId }],
    signal: 'attend',
    signalArgs: [wish],
    staticSummary: `make ${row.settings.name} ready`,
  });
  return { ready: false };
}

/** The activities of readiness. */
export function memberActivities(parts: ReadyParts): MemberActivities {
  const { postgres, workflows } = parts;
  return {
    askReady: atEdge((wish) => getReady(parts, wish)),
    whoStillAsks: async ({ askers }) => {
      for (const asker of askers) if (await isRunning(workflows, asker)) return { asker };
      return { asker: null };
    },
    lookAtMember: atEdge(async ({ memberId }) => {
      const row = await lookNow(parts, await memberRow(parts, memberId));
      const { tenant, settings, state } = row;
      const instanceId = settings.cloud?.instanceId ?? null;
      return { name: settings.name, tenant, instanceId, state: instanceId === null ? null : state };
    }),
    reachMember: atEdge((input) => heartbeating(() => reach(parts, input.memberId))),
    markReady: atEdge(async ({ memberId, bootId, note }) => {
      await reaching(markMemberReady(postgres.db, memberId, bootId, note));
      return { renewAt: await renewalOn(parts, await memberRow(parts, memberId)) };
    }),
    nextRenewal: atEdge(async ({ memberId, why }) => {
      const row = await memberRow(parts, memberId);
      const renewAt = await renewalOn(parts, row);
      if (renewAt !== null && why !== null) {
        const says = `What ready steps brought could not be looked after. It is tried again. ${why}`;
        await reaching(noteOnce(postgres.db, row, { by: 'fermata', kind: 'renewal_failed', says }));
      }
      return { renewAt };
    }),
  };
}

function isFresh({ readyAt }: MemberRow): boolean {
  return readyAt !== null && Date.now() - readyAt.getTime() < FRESH_MS;
}

/** True when a step is due however short ago the member was found ready. */
async function mustRun(parts: ReadyParts, row: MemberRow): Promise<boolean> {
  if (stepsOf(parts, row).some(({ when }) => when === 'always')) return true;
  const renewAt = await renewalOn(parts, row);
  return renewAt !== null && Date.parse(renewAt) <= Date.now();
}

const stepsOf = ({ policy, scripts }: ReadyParts, { settings }: MemberRow) =>
  readyStepsOf(settings, policy, scripts.guard);

/** When something that its steps brought has to be renewed, ISO; steps that it has no longer do not count. */
function renewalOn(parts: ReadyParts, row: MemberRow): Promise<string | null> {
  const names = stepsOf(parts, row).map(({ name }) => name);
  return reaching(earliestRenewal(parts.postgres.db, row.id, names));
}

/** A machine that was stopped or started since is no longer ready, and only the cloud knows. */
function lookNow(parts: ReadyParts, row: MemberRow): Promise<MemberRow> {
  return lookAt(parts, row, AbortSignal.timeout(LOOK_MS));
}

/** Tries until the machine can be logged in to, or its time is over; looks at its address again each time. */
async function reach(parts: ReadyParts, memberId: string): Promise<{ readonly bootId: string }> {
  const { cancellationSignal: signal } = Context.current();
  const until = Date.now() + parts.policy.reachMs;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    const row = await memberRow(parts, memberId);
    try {
      return { bootId: await bootIdOf(parts, await lookAt(parts, row, signal)) };
    } catch (error) {
      await noteChangedKey(parts, row, error);
      const again = error instanceof Failure && (failureRow(error.type).retryable || isEarly(error));
      if (!again) throw error;
      if (Date.now() + wait > until) {
        const seconds = parts.policy.reachMs / 1000;
        throw new Failure('MemberNotReady', {
          name: row.settings.name,
          why: `no SSH after ${seconds}s: ${error.message}`,
        });
      }
    }
    await pause(wait, undefined, { signal });
  }
}

/** An address and the keys in the console output come some time after the machine runs. */
function isEarly({ type }: Failure): boolean {
  return type === 'NoHostKey' || type === 'MemberNotReady';
}

async function bootIdOf(parts: ReadyParts, row: Awaited<ReturnType<typeof memberRow>>): Promise<string> {
  const { name, cloud } = row.settings;
  if (cloud && row.state !== 'running')
    throw new Failure('MemberNotReady', { name, why: `it is ${row.state ?? 'gone'}` });
  const address = await addressOf(parts, row);
  const ran = await parts.ssh.run(address, { command: BOOT_ID_COMMAND, timeoutMs: HANDSHAKE_MS, capBytes: 256 });
  const bootId = ran.stdout.trim();
  // A shell that does not answer is a machine that is not up yet.
  if (ran.code !== 0 || bootId === '')
    throw new Failure('SshUnreachable', { host: address.host, why: 'no shell answers' });
  return bootId;
}

/** Turns the failures of an activity into Temporal's: only those that a retry can help are tried again. */
export function atEdge<I, O>(work: (input: I) => Promise<O>): (input: I) => Promise<O> {
  return async (input) => {
    try {
      return await work(input);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { type, message } = error;
      throw ApplicationFailure.create({ type, message, nonRetryable: !failureRow(type).retryable });
    }
  };
}
