// The secrets of a job: read just before they are sent, and remembered to be hidden in what it prints.
import type { JobRow } from '../store/jobs.ts';
import type { MemberParts } from './member-access.ts';

/** What was sent with each launch, as long as this worker lives: a command may print another value each time. */
const given = new Map<string, readonly string[]>();

/** Reads them, by variable. Throws `SecretUnavailable`. */
export async function jobSecrets(
  { secrets }: Pick<MemberParts, 'secrets'>,
  { spec }: Pick<JobRow, 'spec'>,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [name, ref] of Object.entries(spec.secrets)) values[name] = await secrets.read(ref);
  return values;
}

/** Notes what a launch takes to the machine. */
export function rememberGiven(jobId: string, values: readonly string[]): void {
  if (values.length > 0) given.set(jobId, [...new Set([...givenTo(jobId), ...values])]);
}

/** All that launches of it took there. */
export function givenTo(jobId: string): readonly string[] {
  return given.get(jobId) ?? [];
}

/** When the job has ended and its log is carried, nothing of it is printed any more. */
export function forgetGiven(jobId: string): void {
  given.delete(jobId);
}
