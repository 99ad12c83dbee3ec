// One call to the machine of a member, by its id: where it is now, and what a failure on the way teaches.
import type { Ran, RunRequest } from '../clients/ssh/index.ts';
import type { MemberParts } from './member-access.ts';
import { addressOf, learnFrom, memberRow } from './member-access.ts';

/** Runs it. Throws what `Ssh.run` throws, `MemberNotFound`, `MemberNotReady`, `NoHostKey` and `SecretUnavailable`. */
export async function callMember(parts: MemberParts, memberId: string, request: RunRequest): Promise<Ran> {
  const row = await memberRow(parts, memberId);
  try {
    return await parts.ssh.run(await addressOf(parts, row), request);
  } catch (error) {
    await learnFrom(parts, row, error);
    throw error;
  }
}
