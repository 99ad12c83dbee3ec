// Taking back what ready steps brought, before their machine is stopped or their member is forgotten.
import { reaching } from '../clients/postgres.ts';
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

/** Before a stop: what every boot brings again. */
export async function undoBeforeStop(parts: ReadyStepParts, target: string): Promise<void> {
  for (const row of await reaching(membersOnTargets(parts.postgres.db, [target]))) {
    await undoReadySteps(parts, row, 'stopped');
  }
}

/**
 * Runs the `undo` of the steps that ran well, the last one first, where the machine runs. One that fails keeps nobody
 * from going on: it is an event of the member.
 */
export async function undoReadySteps(
  parts: ReadyStepParts,
  row: MemberRow,
  before: 'stopped' | 'removed',
): Promise<void> {
  const { db } = parts.postgres;
  const ran = (await reaching(readyRunsOf(db, row.id))).filter(({ ok, bootId }) => ok && bootId !== UNDONE);
  const steps = row.settings.readySteps.filter(
    ({ name, undo, when }) =>
      undo !== undefined && ran.some((run) => run.name === name) && (before === 'removed' || when !== 'first_boot'),
  );
  if (steps.length === 0) return;
  const { state } = await lookAt(parts, row, AbortSignal.timeout(LOOK_MS)).catch(() => row);
  if (state !== null && state !== 'running') return;
  const endAt = Date.now() + ALL_MS;
  for (const { undo, ...step } of steps.toReversed()) {
    const timeoutS = Math.min(step.timeoutS, LONGEST_S, Math.ceil((endAt - Date.now()) / 1000));
    const tried =
      timeoutS < 1
        ? LATE
        : await tryStep(parts, row, { ...step, kind: 'exec', command: undo, verify: undefined, timeoutS });
    if (tried.ok) await reaching(markUndone(db, row.id, step.name));
    else {
      const says = `What ready step ${step.name} brought was not taken back before the machine was ${before}: ${tried.why}`;
      await reaching(noteOnce(db, row, { by: 'fermata', kind: 'undo_failed', says }));
    }
  }
}

const LATE = { ok: false, why: 'no time was left' } as const;
