// Tending dead-man switches: a sign of life where the sweep gives none, and taking off those that nobody wants any more.
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import { GUARD_STEP } from '../domain/ready.ts';
import { guardsDue } from '../store/guards.ts';
import type { MemberRow } from '../store/members.ts';
import { dropReadyRuns, readyRunsOf } from '../store/ready-runs.ts';
import { callMember } from './call-member.ts';
import { heartbeating } from './heartbeating.ts';
import type { MemberParts } from './member-access.ts';
import { lookAt } from './member-access.ts';
import { eachOf } from './side-by-side.ts';

export type GuardReport = {
  /** Machines that were given a sign of life. */
  readonly touched: number;
  /** Switches that were taken off. */
  readonly disarmed: number;
};

export interface GuardActivities {
  /** What the sweep does by looking, for the machines that it did not look at lately, because it is paused or behind. */
  tendGuards(): Promise<GuardReport>;
}

/** The sweep looks each minute: later than this, it does not, ms before any scale of time. */
const QUIET_MS = 120_000;
const MEMBERS_A_RUN = 500;
const AT_ONCE = 24;
const CALL_MS = 8_000;
/** A run is over before the next one begins. */
const RUN_MS = 40_000;
const TOUCH = `sh -c '[ ! -d "$HOME/.fermata/guard" ] || : >"$HOME/.fermata/guard/seen"'`;
/** A guard that does not find its own number there ends itself. */
const DISARM = `sh -c 'rm -f "$HOME/.fermata/guard/pid"'`;

/** The activity of the `reconcile` workflow. */
export function guardActivities(parts: MemberParts & { readonly policy: Policy }): GuardActivities {
  return { tendGuards: () => heartbeating(() => tend(parts)) };
}

async function tend(parts: MemberParts & { readonly policy: Policy }): Promise<GuardReport> {
  const { db } = parts.postgres;
  const endAt = Date.now() + RUN_MS;
  const quietMs = QUIET_MS * parts.policy.idle.timeScale;
  const due = await reaching(guardsDue(db, { quietMs, limit: MEMBERS_A_RUN }));
  let touched = 0;
  let disarmed = 0;
  await eachOf(due, AT_ONCE, async (row) => {
    if (Date.now() > endAt) return;
    const unwanted = row.settings.cloud?.guardMin == null;
    // None outlives the boot that it was put on in.
    const gone = unwanted && row.state !== 'running' && row.state !== 'pending';
    if (!gone && !(await tell(parts, row.id, unwanted ? DISARM : TOUCH))) return;
    if (unwanted) await reaching(dropReadyRuns(db, row.id, [GUARD_STEP]));
    if (unwanted) disarmed += 1;
    else touched += 1;
  });
  return { touched, disarmed };
}

/**
 * Takes off the switch of a member that is about to be forgotten. False when it could not be, so that it will shut the
 * machine down in its time.
 */
export async function takeOffGuard(parts: MemberParts, row: MemberRow): Promise<boolean> {
  const runs = await reaching(readyRunsOf(parts.postgres.db, row.id));
  if (!runs.some(({ name }) => name === GUARD_STEP)) return true;
  const { state } = await lookAt(parts, row, AbortSignal.timeout(CALL_MS)).catch(() => row);
  return state === 'stopped' || state === 'terminated' || tell(parts, row.id, DISARM);
}

async function tell(parts: MemberParts, memberId: string, command: string): Promise<boolean> {
  try {
    return (await callMember(parts, memberId, { command, timeoutMs: CALL_MS, capBytes: 1_024 })).code === 0;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
