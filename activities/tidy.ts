// Putting a machine in order when it is made ready: variables of steps that it has no longer, and runs of long ago.
import { reaching } from '../clients/postgres.ts';
import { Failure } from '../domain/failures.ts';
import type { Policy } from '../domain/policy.ts';
import { GUARD_STEP } from '../domain/ready.ts';
import type { ReadyRunRow } from '../store/ready-runs.ts';
import { dropReadyRuns, readyRunsOf } from '../store/ready-runs.ts';
import { callMember } from './call-member.ts';
import { heartbeating } from './heartbeating.ts';
import { memberRow } from './member-access.ts';
import { atEdge } from './members.ts';
import { cleanCommand, parseCleaned } from './remote/exec.ts';
import { keepVariablesCommand } from './remote/ready-command.ts';
import type { RemoteCall } from './remote/wire.ts';
import type { RemoteParts } from './remote-parts.ts';
import { digestOf, readyStepsOf } from './shipped-steps.ts';

interface TidyParts extends RemoteParts {
  readonly policy: Policy;
}

export interface TidyActivities {
  /** Does what is due; what the machine cannot do just now is due again in the next round. Throws `MemberNotFound`. */
  tidyMember(input: { readonly memberId: string; readonly bootId: string }): Promise<void>;
}

const CALL_MS = 15_000;
const ANSWER_BYTES = 65_536;
/** What commands printed is kept on the machine for so long, for people who look there. */
const KEEP_RUNS_S = 7 * 86_400;
const DAY_MS = 86_400_000;

/** The activity that tidies. */
export function tidyActivities(parts: TidyParts): TidyActivities {
  /** In which boot of a member old runs were removed last and when, as far as this worker knows. */
  const cleanedAt = new Map<string, { readonly bootId: string; readonly at: number }>();
  return {
    tidyMember: atEdge((input) => heartbeating(() => tidy(parts, input, cleanedAt))),
  };
}

async function tidy(
  parts: TidyParts,
  { memberId, bootId }: { readonly memberId: string; readonly bootId: string },
  cleanedAt: Map<string, { readonly bootId: string; readonly at: number }>,
): Promise<void> {
  try {
    await removeFormer(parts, memberId);
    const last = cleanedAt.get(memberId);
    if (last?.bootId === bootId && Date.now() - last.at < DAY_MS) return;
    const report = parseCleaned(await call(parts, memberId, cleanCommand(parts.scripts, KEEP_RUNS_S)));
    if (report.state === 'cleaned') cleanedAt.set(memberId, { bootId, at: Date.now() });
  } catch (error) {
    // No machine is refused because something old is still there.
    if (!(error instanceof Failure) || error.type === 'MemberNotFound') throw error;
  }
}

/** Before the steps run: one that is changed brings its variables anew. */
async function removeFormer(parts: TidyParts, memberId: string): Promise<void> {
  const { db } = parts.postgres;
  const { settings } = await memberRow(parts, memberId);
  const steps = new Map(readyStepsOf(settings, parts.policy, parts.scripts.guard).map((step) => [step.name, step]));
  const isCurrent = ({ name, digest }: ReadyRunRow) => {
    const step = steps.get(name);
    return step !== undefined && digestOf(step) === digest;
  };
  const runs = await reaching(readyRunsOf(db, memberId));
  const kept = runs.filter(isCurrent).map(({ name }) => name);
  if (kept.length === runs.length) return;
  await call(parts, memberId, keepVariablesCommand(parts.scripts.ready, kept));
  // A switch is known until it is off: `tendGuards` sees to that.
  const gone = runs.map(({ name }) => name).filter((name) => !steps.has(name) && name !== GUARD_STEP);
  await reaching(dropReadyRuns(db, memberId, gone));
}

async function call(parts: TidyParts, memberId: string, remote: RemoteCall): Promise<string> {
  const ran = await callMember(parts, memberId, { ...remote, timeoutMs: CALL_MS, capBytes: ANSWER_BYTES });
  if (ran.code !== 0) throw new Failure('SshUnreachable', { host: memberId, why: ran.lost ?? ran.stderr });
  return ran.stdout;
}
