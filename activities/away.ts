// Where a machine is that does not answer: the cloud tells one that is off or gone from one that may answer again.
import { Failure, failureRow } from '../domain/failures.ts';
import type { MemberParts } from './member-access.ts';
import { instanceOfMember, lookAt, memberRow } from './member-access.ts';

export interface Away {
  /** For good. */
  readonly gone: boolean;
  readonly why: string;
}

const LOOK_MS = 15_000;

/**
 * What a failure to reach the machine of a member means; undefined when it may answer again. Throws what is no failure
 * to reach it.
 */
export async function awayOf(parts: MemberParts, memberId: string, error: unknown): Promise<Away | undefined> {
  if (!(error instanceof Failure)) throw error;
  if (error.type === 'MemberNotFound') return { gone: true, why: 'Its member was removed.' };
  const away = failureRow(error.type).retryable || error.type === 'MemberNotReady' || error.type === 'RemoteGarbled';
  if (!away) return undefined;
  const row = await memberRow(parts, memberId);
  const { cloud } = row.settings;
  if (!cloud) return undefined;
  const signal = AbortSignal.timeout(LOOK_MS);
  const instance = await instanceOfMember(parts, row.settings, signal).catch((trouble: unknown) => {
    if (trouble instanceof Failure || signal.aborted) return null;
    throw trouble;
  });
  if (instance === null) return undefined;
  if (instance === undefined) return { gone: true, why: `Its instance ${cloud.instanceId} is gone.` };
  switch (instance.state) {
    case 'terminated':
    case 'shutting-down':
      return { gone: true, why: `Its instance ${cloud.instanceId} is ${instance.state}.` };
    case 'stopping':
    case 'stopped':
      await lookAt(parts, row);
      return { gone: false, why: `Its machine is ${instance.state}.` };
    case 'pending':
    case 'running':
      return undefined;
  }
}
