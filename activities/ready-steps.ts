// Performing the ready steps of a member: which are due in this boot, and each of them, with its retries and its record.
import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { reaching } from '../clients/postgres.ts';
import type { Ran, SshAddress } from '../clients/ssh/index.ts';
import type { ReadyStepResult } from '../domain/activity.ts';
import { Failure } from '../domain/failures.ts';
import type { ReadyStep } from '../domain/ready.ts';
import { isDue, renewalOf } from '../domain/ready.ts';
import { retryDelayMs } from '../domain/retry.ts';
import { redacted, redactedHead } from '../domain/secret.ts';
import { storable } from '../domain/text.ts';
import { noteMember } from '../store/member-events.ts';
import type { MemberRow } from '../store/members.ts';
import { keepReadyRun, readyRunsOf } from '../store/ready-runs.ts';
import type { Policy } from '../domain/policy.ts';
import type { DueStep } from './shipped-steps.ts';
import { digestOf, readyStepsOf, secretContextOf } from './shipped-steps.ts';
import type { RemoteParts } from './remote-parts.ts';
import { addressOf, memberRow } from './member-access.ts';
import { rememberSecrets, secretsOn } from './member-secrets.ts';
import { heartbeating } from './heartbeating.ts';
import { atEdge } from './members.ts';
import { readyCommand } from './remote/ready-command.ts';

export interface ReadyStepParts extends RemoteParts {
  readonly policy: Policy;
}

export interface ReadyStepActivities {
  /** Names of the steps to run in this boot, in the order of the member; `again` asks for some, or all when empty. */
  dueReadySteps(input: {
    readonly memberId: string;
    readonly bootId: string;
    readonly again?: readonly string[];
  }): Promise<readonly string[]>;
  /** Runs one, with its retries; a failure is an answer. */
  performReadyStep(input: {
    readonly memberId: string;
    readonly name: string;
    readonly bootId: string;
  }): Promise<ReadyStepResult>;
}

const FIRST_DELAY_MS = 1_000;
const SHOWN_CHARACTERS = 2_000;

/** The activities of ready steps. */
export function readyStepActivities(parts: ReadyStepParts): ReadyStepActivities {
  return {
    dueReadySteps: atEdge(async ({ memberId, bootId, again }) => {
      const { settings } = await memberRow(parts, memberId);
      const ran = await reaching(readyRunsOf(parts.postgres.db, memberId));
      const now = new Date().toISOString();
      const asked = (name: string) => again !== undefined && (again.length === 0 || again.includes(name));
      return readyStepsOf(settings, parts.policy, parts.scripts.guard)
        .filter((step) => {
          const row = ran.find(({ name }) => name === step.name);
          const last = row && { ...row, at: row.at.toISOString() };
          return asked(step.name) || isDue(step, digestOf(step), last, bootId, now);
        })
        .map(({ name }) => name);
    }),
    performReadyStep: atEdge((input) => heartbeating(() => perform(parts, input))),
  };
}

async function perform(
  parts: ReadyStepParts,
  { memberId, name, bootId }: { readonly memberId: string; readonly name: string; readonly bootId: string },
): Promise<ReadyStepResult> {
  const row = await memberRow(parts, memberId);
  const step = readyStepsOf(row.settings, parts.policy, parts.scripts.guard).find((each) => each.name === name);
  // Its owner took it away meanwhile.
  if (!step) return { name, ok: true, required: false, why: null };
  return performStep(parts, row, step, { bootId, retries: step.retries, timeoutS: step.timeoutS });
}

/** Runs a step of a member in a boot, and keeps what became of it; the caller may have less patience than the step. */
export async function performStep(
  parts: ReadyStepParts,
  row: MemberRow,
  step: DueStep,
  { bootId, retries, timeoutS }: { readonly bootId: string; readonly retries: number; readonly timeoutS: number },
): Promise<ReadyStepResult> {
  const { id: memberId } = row;
  const { name } = step;
  const begun = Date.now();
  const { cancellationSignal: signal } = Context.current();
  const attempt = () => tryStep(parts, row, { ...step, timeoutS });
  let tried = await attempt();
  let attempts = 1;
  for (; !tried.ok && attempts <= retries; attempts += 1) {
    await pause(retryDelayMs(FIRST_DELAY_MS, attempts, Math.random()), undefined, { signal });
    tried = await attempt();
  }
  const at = new Date();
  const digest = digestOf(step);
  const { db } = parts.postgres;
  const before = (await reaching(readyRunsOf(db, memberId))).find((run) => run.name === name);
  const failures = tried.ok ? 0 : (before?.failures ?? 0) + 1;
  const renewal = renewalOf(step, { name, bootId, digest, ok: tried.ok, at: at.toISOString(), failures });
  const { why } = tried;
  if (renewal !== null && failures === 1) {
    const says = `Ready step ${name} failed, and what it brings runs out. It is tried again. ${why ?? ''}`.trim();
    await reaching(noteMember(db, row, { by: 'fermata', kind: 'renewal_failed', says }));
  }
  await reaching(
    keepReadyRun(db, {
      memberId,
      name,
      digest,
      bootId,
      ok: tried.ok,
      at,
      attempts,
      durationMs: Date.now() - begun,
      exitCode: tried.exitCode,
      output: tried.output,
      renewAt: renewal === null ? null : new Date(renewal),
      failures,
      secrets: step.secrets ?? {},
    }),
  );
  return { name, ok: tried.ok, required: step.required, why };
}

interface Ended {
  readonly ok: boolean;
  readonly exitCode: number | null;
  readonly output: string;
}

interface Tried extends Ended {
  /** The last line of what a failed one printed. */
  readonly why: string | null;
}

/** Runs a step once; what it printed is without secrets. */
export async function tryStep(parts: ReadyStepParts, row: MemberRow, step: DueStep): Promise<Tried> {
  const ended = await once(parts, row, step);
  return { ...ended, why: ended.ok ? null : lastLine(ended.output) };
}

async function once(parts: ReadyStepParts, row: MemberRow, step: DueStep): Promise<Ended> {
  const values: string[] = [];
  try {
    const secrets: Record<string, string> = {};
    for (const [name, ref] of Object.entries(step.secrets ?? {})) {
      const value = await parts.secrets.read(ref, secretContextOf(row.settings));
      values.push(value);
      secrets[name] = value;
    }
    for (const [name, grant] of Object.entries(step.minted ?? {})) {
      const value = await parts.secrets.mint(grant);
      values.push(value);
      secrets[name] = value;
    }
    rememberSecrets(row.id, step.name, secrets);
    values.push(...(await secretsOn(parts, row, 'run')).values);
    const address = await addressOf(parts, row);
    const ran = await run(parts, address, step, secrets);
    const printed = `${redactedHead(ran.stdout, values)}${redactedHead(ran.stderr, values)}`;
    const output = storable(printed.slice(-SHOWN_CHARACTERS));
    if (ran.code === null) return { ok: false, exitCode: null, output: `${output}\nno answer (${ran.lost ?? 'lost'})` };
    return { ok: ran.code === 0, exitCode: ran.code, output };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ok: false, exitCode: null, output: redacted(error.message, values) };
  }
}

function run(
  { ssh, scripts }: ReadyStepParts,
  address: SshAddress,
  step: ReadyStep,
  secrets: Readonly<Record<string, string>>,
): Promise<Ran> {
  const { command, stdin } = readyCommand(scripts.ready, step, secrets);
  return ssh.run(address, { command, stdin, timeoutMs: step.timeoutS * 1000, capBytes: 16_384 });
}

function lastLine(text: string): string {
  return storable(text.trim().split('\n').at(-1)?.slice(0, 300) ?? '');
}
