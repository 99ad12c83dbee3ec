// Taking back what ready steps brought, before their machine is stopped or their member is forgotten.
import { reaching } from '../clients/postgres.ts';
import type { Step } from '../domain/plan.ts';
import type { ReadyStep } from '../domain/ready.ts';
import { noteOnce } from '../store/member-events.ts';
import type { MemberRow } from '../store/members.ts';
import { membersOnTargets } from '../store/members.ts';
import { markUndone, readyRunsOf, UNDONE } from '../store/ready-runs.ts';
import { lookAt } from './member-access.ts';
import type { ReadyStepParts } from './ready-steps.ts';
import { tryStep } from './ready-steps.ts';

/** A stop is not kept waiting by a machine that hangs. */
const LONGEST_S = 30;
const ALL_MS = 60_000;
const LOOK_MS = 8_000;

/** Before a stop: what every boot brings again, or all of it where the member is forgotten next. True when some was. */
export async function undoBeforeStop(
  parts: ReadyStepParts,
  { target, args }: Step,
  signal: AbortSignal,
): Promise<boolean> {
  let undone = false;
  for (const row of await reaching(membersOnTargets(parts.postgres.db, [target]))) {
    if (await undoReadySteps(parts, row, args.for_removal === true ? 'removed' : 'stopped', signal)) undone = true;
  }
  return undone;
}

/**
 * Runs the `undo` of the steps that ran well, the last one first, where the machine runs: true when there was one. One
 * that fails keeps nobody from going on: it is an event of the member.
 */
export async function undoReadySteps(
  parts: ReadyStepParts,
  row: MemberRow,
  before: 'stopped' | 'removed',
  signal?: AbortSignal,
): Promise<boolean> {
  const { db } = parts.postgres;
  const ran = (await reaching(readyRunsOf(db, row.id))).filter(({ ok, bootId }) => ok && bootId !== UNDONE);
  const steps = row.settings.readySteps.filter(
    ({ name, undo, when }) =>
      undo !== undefined && ran.some((run) => run.name === name) && (before === 'removed' || when !== 'first_boot'),
  );
  if (steps.length === 0) return false;
  const { state } = await lookAt(parts, row, AbortSignal.timeout(LOOK_MS)).catch(() => row);
  const off = state === null || state === 'running' ? undefined : `it is ${state}.`;
  // What every boot brings again needs no taking back where there is none.
  if (off !== undefined && before === 'stopped') return false;
  const endAt = Date.now() + ALL_MS;
  for (const step of steps.toReversed()) {
    if (signal?.aborted === true) break;
    const why = off ?? (await undoOne(parts, row, step, endAt));
    if (why === null) continue;
    const says = `What ready step ${step.name} brought was not taken back before the machine was ${before}: ${why}`;
    await reaching(noteOnce(db, row, { by: 'fermata', kind: 'undo_failed', says }));
  }
  return off === undefined;
}

/** Why it failed; null when it did not. */
async function undoOne(
  parts: ReadyStepParts,
  row: MemberRow,
  { undo, ...step }: ReadyStep,
  endAt: number,
): Promise<string | null> {
  const timeoutS = Math.min(step.timeoutS, LONGEST_S, Math.ceil((endAt - Date.now()) / 1000));
  if (timeoutS < 1) return 'no time was left.';
  const tried = await tryStep(parts, row, { ...step, kind: 'exec', command: undo, verify: undefined, timeoutS });
  if (tried.ok) await reaching(markUndone(parts.postgres.db, row.id, step.name));
  return tried.why;
}
