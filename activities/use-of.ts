// The last question before an idle stop: does anything use the machine at this very moment?
import { reaching } from '../clients/postgres.ts';
import { clocksBefore } from '../domain/idle-clocks.ts';
import { judge } from '../domain/idle.ts';
import type { Step } from '../domain/plan.ts';
import { idleRuleOf } from '../domain/policy.ts';
import { membersOnTargets } from '../store/members.ts';
import { probeMember } from './probe-member.ts';
import type { SweepParts } from './sweep.ts';

/** What uses the machine of a step, in words; undefined when nothing does. Closed by default: what cannot be told is use. */
export async function useOf(parts: SweepParts, { target }: Step): Promise<string | undefined> {
  const [row] = await reaching(membersOnTargets(parts.postgres.db, [target]));
  const cloud = row?.settings.cloud;
  if (!row || !cloud) return 'it is no member any more, so nobody can tell whether it is used';
  if (row.snoozedUntil !== null && row.snoozedUntil > new Date()) return 'somebody asked to hold it off meanwhile';
  const rule = idleRuleOf(parts.policy, cloud);
  const probe = await probeMember(parts, row, rule);
  const input = {
    now: new Date().toISOString(),
    registeredAt: row.registeredAt.toISOString(),
    launchedAt: row.launchedAt?.toISOString() ?? null,
    lastUseAt: row.lastUseAt?.toISOString() ?? null,
    snoozedUntil: row.snoozedUntil?.toISOString() ?? null,
    clocks: row.clocks,
    holders: [],
    probe,
    policy: rule,
  };
  const usedSince = row.clocks !== null && clocksBefore(input).lastUseAt !== input.lastUseAt;
  if (usedSince) return 'it was used since it was found idle';
  const { verdict, reasons } = judge(input);
  const stopsOnUnknown = verdict === 'unknown' && rule.onUnknown === 'stop';
  return verdict === 'idle' || stopsOnUnknown ? undefined : reasons.slice(0, 4).join('; ');
}
