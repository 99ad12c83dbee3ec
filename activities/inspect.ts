// Looks for somebody who registers a member: at its instance, and at the machine itself.
import type { InstanceLook, MemberTry } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { CloudBlock } from '../domain/member.ts';
import type { MemberParts } from './member-access.ts';
import { addressOf, instanceOfMember, lookAt, memberRow, noteChangedKey } from './member-access.ts';
import { workFolderCommand } from './remote/work-folder.ts';

export interface InspectActivities {
  inspectInstance(input: { readonly cloud: CloudBlock }): Promise<InstanceLook>;
  tryMember(input: { readonly memberId: string }): Promise<MemberTry>;
}

const LOOK_MS = 8_000;
const TRY_MS = 10_000;

/** The activities behind registering; whatever is wrong is an answer, not a failure. */
export function inspectActivities(parts: MemberParts): InspectActivities {
  return {
    inspectInstance: async ({ cloud }) => {
      try {
        return { instance: (await instanceOfMember(parts, { cloud }, AbortSignal.timeout(LOOK_MS))) ?? null };
      } catch (error) {
        return { problem: wordsOf(error) };
      }
    },
    tryMember: async ({ memberId }) => {
      const row = await memberRow(parts, memberId);
      try {
        const address = await addressOf(parts, await lookAt(parts, row));
        const { latencyMs } = await parts.ssh.check(address, TRY_MS);
        const { command, stdin } = workFolderCommand(row.settings.workFolder);
        const made = await parts.ssh.run(address, { command, stdin, timeoutMs: TRY_MS, capBytes: 1_024 });
        const flaw =
          made.code === 0 ? [] : [`Warning: work_folder cannot be made: ${made.stderr.trim() || 'no answer'}`];
        return { ok: true, latencyMs, warnings: flaw };
      } catch (error) {
        await noteChangedKey(parts, row, error);
        return { ok: false, why: wordsOf(error) };
      }
    },
  };
}

function wordsOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${LOOK_MS / 1000}s`;
  throw error;
}
