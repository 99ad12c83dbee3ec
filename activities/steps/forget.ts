// Forgetting a member: its row goes, its events and what it cost stay.
import { reaching } from '../../clients/postgres.ts';
import { Failure } from '../../domain/failures.ts';
import type { Step } from '../../domain/plan.ts';
import { noteMember } from '../../store/member-events.ts';
import { deleteMember, memberById } from '../../store/members.ts';
import { takeOffGuard } from '../guards.ts';
import type { ReadyStepParts } from '../ready-steps.ts';
import { undoReadySteps } from '../ready-undo.ts';
import type { StepRunner } from './runner.ts';

/** The member of a step. */
export function memberIdOf({ args: { member } }: Step): string {
  if (typeof member === 'string') return member;
  throw new Failure('PlanRefused', { why: 'the step names no member' });
}

export const forgetRunner = (parts: ReadyStepParts): StepRunner => ({
  indifferent: true,
  look: async (step) => {
    const row = await reaching(memberById(parts.postgres.db, memberIdOf(step)));
    return { verdict: row ? 'as_planned' : 'as_wanted', seen: { registered: row !== undefined } };
  },
  act: async (step) => {
    const { postgres } = parts;
    const known = await reaching(memberById(postgres.db, memberIdOf(step)));
    if (!known) return;
    await undoReadySteps(parts, known, 'removed');
    const quiet = await takeOffGuard(parts, known);
    await reaching(
      postgres.transaction(async (db) => {
        const row = await memberById(db, known.id);
        if (!row) return;
        await deleteMember(db, row.id);
        const left = quiet ? '' : ' Its dead-man switch could not be taken off, and will shut its machine down.';
        await noteMember(db, row, { by: 'fermata', kind: 'removed', says: `${row.settings.name} was removed.${left}` });
      }),
    );
  },
});
