// Tending dead-man switches: putting on what is missing, a sign of life where the sweep gives none, taking off what nobody wants.
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import { GUARD_STEP, isDue } from '../domain/ready.ts';
import type { GuardSeen } from '../store/guards.ts';
import { guardsDue, guardsMissing } from '../store/guards.ts';
import type { MemberRow } from '../store/members.ts';
import { dropReadyRuns, readyRunsOf } from '../store/ready-runs.ts';
import { callMember } from './call-member.ts';
import { heartbeating } from './heartbeating.ts';
import type { MemberParts } from './member-access.ts';
import { lookAt } from './member-access.ts';
import type { ReadyStepParts } from './ready-steps.ts';
import { performStep } from './ready-steps.ts';
import { BOOT_ID_COMMAND } from './remote/boot-id.ts';
import { digestOf, readyStepsOf } from './shipped-steps.ts';
import { eachOf } from './side-by-side.ts';

export type GuardReport = {
  /** Machines that were given a sign of life. */
  readonly touched: number;
  /** Switches that were taken off. */
  readonly disarmed: number;
  /** Switches that were put on. */
  readonly armed: number;
};

export interface GuardActivities {
  /**
   * What the sweep does by looking, for the machines that it did not look at lately, because it is paused or behind; and
   * what getting ready does, for machines that run without having been made ready.
   */
  tendGuards(): Promise<GuardReport>;
}

/** The sweep looks each minute: later than this, it does not, ms before any scale of time. */
const QUIET_MS = 120_000;
const MEMBERS_A_RUN = 500;
const AT_ONCE = 16;
/** Beside those, so that neither has to wait for the other. */
const ARMED_AT_ONCE = 8;
/** A machine on which it cannot be put is asked again after this, ms before any scale of time. */
const AGAIN_MS = 900_000;
const CALL_MS = 8_000;
/** A run is over before the next one begins. */
const RUN_MS = 40_000;
const TOUCH = `sh -c '[ ! -d "$HOME/.fermata/guard" ] || : >"$HOME/.fermata/guard/seen"'`;
/** A guard that does not find its own number there ends itself. */
const DISARM = `sh -c 'rm -f "$HOME/.fermata/guard/pid"'`;

/** The activity of the `reconcile` workflow. */
export function guardActivities(parts: ReadyStepParts): GuardActivities {
  return {
    tendGuards: () =>
      heartbeating(async () => {
        const endAt = Date.now() + RUN_MS;
        const [tended, armed] = await Promise.all([tend(parts, endAt), arm(parts, endAt)]);
        return { ...tended, armed };
      }),
  };
}

/** Puts it on machines that run without one, such as after a start by hand: a bill runs whether or not there was work. */
async function arm(parts: ReadyStepParts, endAt: number): Promise<number> {
  let armed = 0;
  const missing = await reaching(guardsMissing(parts.postgres.db, MEMBERS_A_RUN));
  await eachOf(missing, ARMED_AT_ONCE, async (seen) => {
    if (Date.now() < endAt && (await armOne(parts, seen))) armed += 1;
  });
  return armed;
}

async function armOne(parts: ReadyStepParts, { row, run }: GuardSeen): Promise<boolean> {
  const step = readyStepsOf(row.settings, parts.policy, parts.scripts.guard).find(({ name }) => name === GUARD_STEP);
  if (!step) return false;
  const digest = digestOf(step);
  const last = run && { ...run, at: run.at.toISOString() };
  const againMs = AGAIN_MS * parts.policy.idle.timeScale;
  if (last && !last.ok && last.digest === digest && Date.now() - Date.parse(last.at) < againMs) return false;
  const bootId = await answerOf(parts, row.id, BOOT_ID_COMMAND);
  if (!bootId || !isDue(step, digest, last ?? undefined, bootId, new Date().toISOString())) return false;
  return (await performStep(parts, row, step, { bootId, retries: 0, timeoutS: CALL_MS / 1_000 })).ok;
}

async function tend(parts: ReadyStepParts, endAt: number): Promise<Pick<GuardReport, 'touched' | 'disarmed'>> {
  const { db } = parts.postgres;
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
  return (await answerOf(parts, memberId, command)) !== undefined;
}

/** What a command printed; undefined when it could not be run, or failed. */
async function answerOf(parts: MemberParts, memberId: string, command: string): Promise<string | undefined> {
  try {
    const ran = await callMember(parts, memberId, { command, timeoutMs: CALL_MS, capBytes: 1_024 });
    return ran.code === 0 ? ran.stdout.trim() : undefined;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
