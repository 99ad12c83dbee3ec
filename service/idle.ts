// What the idle sweep judged of a member, and holding it off for a while.
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import { noteMember } from '../store/member-events.ts';
import type { VerdictRow } from '../store/verdicts.ts';
import { snoozeMember, verdictsOf } from '../store/verdicts.ts';
import type { MemberRow, PastPage } from './members.ts';
import { getMember } from './members.ts';
import type { Service } from './open.ts';

export type { VerdictRow };

/** A page of the verdicts on a member, newest first, each with all that went into it. Throws `MemberNotFound`. */
export async function getVerdicts(
  service: Service,
  tenant: string,
  ref: string,
  page: PastPage,
): Promise<{ readonly rows: VerdictRow[]; readonly more: boolean }> {
  const { id } = await getMember(service, tenant, ref);
  return reaching(verdictsOf(service.postgres.db, id, page));
}

const MINUTE_MS = 60_000;

/** Holds warnings and idle stops of a member for some minutes. Throws `NotACloudMember`, and `InvalidRequest` above the bound of config. */
export async function snoozeFor(
  service: Service,
  tenant: string,
  ref: string,
  { minutes, by }: { readonly minutes: number; readonly by: string },
): Promise<{ readonly row: MemberRow; readonly until: Date }> {
  const { postgres, policy } = service;
  const row = await getMember(service, tenant, ref);
  const { name, cloud } = row.settings;
  if (!cloud) throw new Failure('NotACloudMember', { name, what: 'idle stop to hold off' });
  const { maxSnoozeMin, timeScale } = policy.idle;
  if (minutes > maxSnoozeMin) {
    throw new Failure('InvalidRequest', { why: `minutes must be at most ${maxSnoozeMin}` }, [
      {
        type: 'less_than_equal',
        loc: ['body', 'minutes'],
        msg: `Input should be at most ${maxSnoozeMin}`,
        input: minutes,
      },
    ]);
  }
  const until = await reaching(
    postgres.transaction(async (db) => {
      const end = await snoozeMember(db, row.id, minutes * MINUTE_MS * timeScale);
      await noteMember(db, row, {
        by,
        kind: 'snoozed',
        says: `Not stopped for being idle before ${end.toISOString()}.`,
      });
      return end;
    }),
  );
  return { row, until };
}
