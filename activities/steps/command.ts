// Running a command on a member, effectively once: the machine itself keeps the claim, and every later try only looks.
import { createHash } from 'node:crypto';
import type { Ran } from '../../clients/ssh/index.ts';
import { Failure } from '../../domain/failures.ts';
import type { Step } from '../../domain/plan.ts';
import { canonical } from '../../domain/plan.ts';
import type { SecretRef } from '../../domain/secret.ts';
import { redacted, redactedHead } from '../../domain/secret.ts';
import type { Json, JsonObject } from '../../domain/task.ts';
import type { Policy } from '../../domain/policy.ts';
import { awayOf } from '../away.ts';
import { callMember } from '../call-member.ts';
import { memberRow } from '../member-access.ts';
import { secretsOn } from '../member-secrets.ts';
import type { RunReport } from '../remote/exec.ts';
import { lookCommand, parseReport, startCommand, stopCommand } from '../remote/exec.ts';
import type { RemoteCall } from '../remote/wire.ts';
import type { RemoteParts } from '../remote-parts.ts';
import { forgetGiven, givenTo, knownToBeGiven, readSecrets, rememberGiven } from '../sent-secrets.ts';
import { memberIdOf } from './forget.ts';
import type { Look, StepRunner } from './runner.ts';

/** How long one call to the machine may take; what a call does on the machine goes on without it. */
const CALL_MS = 15_000;
/** A report is the two kept heads in base64, and a few lines. */
const ANSWER_BYTES = 262_144;
/** What the machine keeps of each stream, for people who look there. */
const KEPT_BYTES = 16 * 1_048_576;

interface Command {
  readonly memberId: string;
  readonly command: string;
  readonly stdin: string | null;
  readonly cwd: string;
  readonly timeoutS: number;
  readonly silenceS: number;
  readonly shownBytes: number;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, SecretRef>>;
}

/** A plan is stored as JSON; what is read from it is checked like anything from outside. */
function commandOf(step: Step): Command {
  const { command, stdin, cwd, timeout_s, silence_s, shown_bytes, env, secrets } = step.args;
  if (typeof command !== 'string' || typeof cwd !== 'string' || typeof timeout_s !== 'number') throw malformed();
  return {
    memberId: memberIdOf(step),
    command,
    stdin: typeof stdin === 'string' ? stdin : null,
    cwd,
    timeoutS: timeout_s,
    silenceS: typeof silence_s === 'number' ? silence_s : 0,
    shownBytes: typeof shown_bytes === 'number' ? shown_bytes : 0,
    env: Object.fromEntries(
      entriesOf(env).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    ),
    secrets: Object.fromEntries(entriesOf(secrets).map(([name, value]) => [name, refOf(value)])),
  };
}

const malformed = () => new Failure('PlanRefused', { why: 'the step is not that of a command' });

function entriesOf(value: Json | undefined): [string, Json][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function refOf(value: Json): SecretRef {
  const [[kind, name] = [], ...more] = entriesOf(value);
  if (typeof name !== 'string' || more.length > 0) throw malformed();
  if (kind === 'env') return { env: name };
  if (kind === 'file') return { file: name };
  if (kind === 'command') return { command: name };
  throw malformed();
}

export function commandRunner(parts: RemoteParts & { readonly policy: Policy }, taskId: string): StepRunner {
  const call = (command: Command, remote: RemoteCall): Promise<Ran> =>
    callMember(parts, command.memberId, { ...remote, timeoutMs: CALL_MS, capBytes: ANSWER_BYTES });
  const run = (step: Step) => ({
    id: `${taskId}-${step.id}`,
    digest: createHash('sha256').update(canonical(step.args)).digest('hex'),
  });
  /** What must not be seen of what it printed; undefined when not all of that can be known. */
  const hiddenFrom = async ({ memberId, secrets }: Command, id: string): Promise<readonly string[] | undefined> => {
    const own = await knownToBeGiven(parts, id, secrets);
    // Read with the report, because ready steps renew what they bring.
    const { values } = await secretsOn(parts, await memberRow(parts, memberId), 'run');
    return own && [...own, ...values];
  };

  return {
    indifferent: false,
    look: async (step, { mine, answeredAt }) => {
      // Nothing can be there before this task has set about it, and a machine is not asked for nothing.
      if (!mine) return { verdict: 'as_planned', seen: {} };
      const command = commandOf(step);
      const ref = run(step);
      const looking = call(command, lookCommand(parts.scripts, { ...ref, headBytes: command.shownBytes }));
      const ran = await looking.catch((error: unknown) => unlooked(parts, command, error));
      if ('verdict' in ran) return ran;
      if (ran.code !== 0) throw new Failure('SshUnreachable', { host: command.memberId, why: ran.lost ?? ran.stderr });
      const report = parseReport(ran.stdout);
      if (report.state === 'absent' && answeredAt !== null) {
        return {
          verdict: 'unknown',
          seen: { state: 'absent' },
          why: 'it was begun, and the machine has no trace of it',
        };
      }
      const over = 'stdout' in report && report.state !== 'running';
      const look = lookOf(report, over ? await hiddenFrom(command, ref.id) : []);
      if (report.state === 'finished') forgetGiven(ref.id);
      return look;
    },
    act: async (step) => {
      const command = commandOf(step);
      const ref = run(step);
      const secretEnv = await readSecrets(parts, command.secrets);
      const others = givenTo(ref.id);
      rememberGiven(ref.id, Object.values(secretEnv));
      const ran = await call(
        command,
        startCommand(parts.scripts, {
          ...ref,
          command: command.command,
          cwd: command.cwd,
          timeoutSeconds: command.timeoutS,
          silenceSeconds: command.silenceS,
          capBytes: KEPT_BYTES,
          env: command.env,
          secretEnv,
          ...(command.stdin !== null && { stdin: Buffer.from(command.stdin) }),
        }),
      );
      if (ran.code === null) throw new Failure('OutcomeUnknown', { why: `the link was lost (${ran.lost ?? 'link'})` });
      const report = parseReport(ran.stdout);
      if (report.state === 'setup_failed') throw new Failure('CommandNotStarted', { why: report.why });
      // A start of another worker was there before: its values are those that count, and they are not known here.
      if (!report.launched && others.length === 0) forgetGiven(ref.id);
    },
    halt: async (step) => {
      const command = commandOf(step);
      await call(command, stopCommand(parts.scripts, run(step))).catch((error: unknown) => {
        // What cannot be reached cannot be ended either; its own time limit will.
        if (!(error instanceof Failure)) throw error;
      });
    },
  };
}

/** A machine that is off has ended it, and nobody can tell how far it had come. Throws while it may answer again. */
async function unlooked(parts: RemoteParts, { memberId }: Command, error: unknown): Promise<Look> {
  // Without its password nobody can look, and the command runs on all the same.
  if (error instanceof Failure && error.type === 'SecretUnavailable') {
    throw new Failure('SshUnreachable', { host: memberId, why: error.message });
  }
  const away = await awayOf(parts, memberId, error);
  if (away) return { verdict: 'unknown', seen: {}, why: away.why };
  throw error;
}

function lookOf(report: RunReport, values: readonly string[] | undefined): Look {
  switch (report.state) {
    case 'finished':
      return { verdict: 'as_wanted', seen: seenOf(report, values) };
    case 'running':
      return { verdict: 'on_the_way', seen: { state: 'running', started_at: report.startedAt } };
    case 'absent':
      // A start claims and begins in one: what is absent has never begun.
      return { verdict: 'as_planned', seen: { state: 'absent' } };
    case 'setup_failed':
      throw new Failure('CommandNotStarted', { why: report.why });
    case 'mismatch':
      return { verdict: 'else', seen: { state: 'mismatch' }, why: 'this id is that of another command on the machine' };
    case 'withdrawn':
      return { verdict: 'failed', seen: { state: 'withdrawn' }, why: 'it was stopped before it began' };
    case 'interrupted':
      return { verdict: 'unknown', seen: seenSoFar(report, values), why: 'the machine was restarted under it' };
    case 'unknown':
      return {
        verdict: 'unknown',
        seen: seenSoFar(report, values),
        why: report.commandAlive ? 'its supervisor is gone, and it still runs' : 'its supervisor is gone',
      };
  }
}

function seenOf(report: Extract<RunReport, { state: 'finished' }>, values: readonly string[] | undefined): JsonObject {
  return {
    exit_code: report.exitCode,
    timed_out: report.timedOut,
    ...seenSoFar(report, values),
    ended_at: report.endedAt,
  };
}

const WITHHELD = 'What it printed is not shown, because a secret to hide in it cannot be known any more.';

type Output = Extract<RunReport, { stdout: string }>;

/** `values` undefined: nothing of what it printed is shown. */
function seenSoFar(report: Output, values: readonly string[] | undefined): JsonObject {
  const shown = report.truncated ? redactedHead : redacted;
  return {
    stdout: values ? shown(report.stdout, values) : '',
    stderr: values ? shown(report.stderr, values) : '',
    ...(!values && { withheld: WITHHELD }),
    stdout_bytes: report.outBytes,
    stderr_bytes: report.errBytes,
    truncated: report.truncated,
    stopped: report.stopped,
    started_at: report.startedAt,
  };
}
