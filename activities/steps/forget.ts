// Forgetting a member: its row goes, its events and what it cost stay.
import { reaching } from '../../clients/postgres.ts';
import { Failure } from '../../domain/failures.ts';
import type { Step } from '../../domain/plan.ts';
import { noteMember } from '../../store/member-events.ts';
import { deleteMember, memberById } from '../../store/members.ts';
import type { MemberParts } from '../member-access.ts';
import type { StepRunner } from './runner.ts';

/** The member of a step. */
export function memberIdOf({ args: { member } }: Step): string {
  if (typeof member === 'string') return member;
  throw new Failure('PlanRefused', { why: 'the step names no member' });
}

export const forgetRunner = ({ postgres }: MemberParts): StepRunner => ({
  indifferent: true,
  look: async (step) => {
    const row = await reaching(memberById(postgres.db, memberIdOf(step)));
    return { verdict: row ? 'as_planned' : 'as_wanted', seen: { registered: row !== undefined } };
  },
  act: (step) =>
    reaching(
      postgres.transaction(async (db) => {
        const row = await memberById(db, memberIdOf(step));
        if (!row) return;
        await deleteMember(db, row.id);
        await noteMember(db, row, { by: 'fermata', kind: 'removed', says: `${row.settings.name} was removed.` });
      }),
    ),
});
