// What carrying a file has in common in both directions: where it is, how the machine is asked, and what it refuses.
import { Context } from '@temporalio/activity';
import type { Ran, RunRequest, SshAddress } from '../../clients/ssh/index.ts';
import { Failure } from '../../domain/failures.ts';
import type { Step } from '../../domain/plan.ts';
import { addressOf, memberRow } from '../member-access.ts';
import type { GetReport, PutReport } from '../remote/file.ts';
import type { RemoteCall } from '../remote/wire.ts';
import type { RemoteParts } from '../remote-parts.ts';
import { memberIdOf } from './forget.ts';

/** How long a look at a file may take: it may have to be summed up. */
const LOOK_MS = 30_000;
/** How long one call may carry bytes; what is missing then is carried by the next one. */
const CARRY_MS = 600_000;
/** A report, and what a login prints before it. */
const ANSWER_BYTES = 65_536;

/** One file below the work folder of a member. */
export interface FilePlace {
  readonly tenant: string;
  readonly address: SshAddress;
  readonly root: string;
  readonly path: string;
}

/** The file of a step. Throws `MemberNotFound`, and what finding its address throws. */
export async function placeOf(parts: RemoteParts, step: Step): Promise<FilePlace> {
  const { root, path } = step.args;
  if (typeof root !== 'string' || typeof path !== 'string') throw malformed();
  const row = await memberRow(parts, memberIdOf(step));
  return { tenant: row.tenant, address: await addressOf(parts, row), root, path };
}

export const malformed = () => new Failure('PlanRefused', { why: 'the step is not that of a file' });

/** Asks for a report alone. Throws `SshUnreachable` when none came. */
export async function ask({ ssh }: RemoteParts, { address }: FilePlace, remote: RemoteCall): Promise<string> {
  const ran = await ssh.run(address, { ...remote, timeoutMs: LOOK_MS, capBytes: ANSWER_BYTES });
  if (ran.code !== 0) throw unreachable(address, ran);
  return ran.stdout;
}

/** Carries bytes, until the task is stopped or the worker has to end: cutting a file short harms nothing. */
export function carry(
  { ssh }: RemoteParts,
  { address }: FilePlace,
  request: Pick<RunRequest, 'command' | 'stdin' | 'onStdout'>,
): Promise<Ran> {
  const { cancellationSignal: signal } = Context.current();
  return ssh.run(address, { ...request, signal, timeoutMs: CARRY_MS, capBytes: ANSWER_BYTES });
}

export function unreachable({ host }: SshAddress, { code, lost, stderr }: Ran): Failure {
  const why = lost ?? (stderr.trim() || `the shell ended with ${code ?? 'nothing'}`);
  return new Failure('SshUnreachable', { host, why });
}

/** What the machine would not do, for good or for now. */
export function notDone(path: string, report: Extract<PutReport | GetReport, { why: string }>): Failure {
  return new Failure(report.state === 'refused' ? 'FileRefused' : 'FileBlocked', { path, why: report.why });
}
