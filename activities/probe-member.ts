// One look at a machine by SSH: what the probe shows, or that the machine could not be reached, never a throw.
import { Failure } from '../domain/failures.ts';
import type { IdlePolicy } from '../domain/idle-policy.ts';
import type { Policy } from '../domain/policy.ts';
import type { Probe } from '../domain/probe.ts';
import { redactedHead } from '../domain/secret.ts';
import type { MemberRow } from '../store/members.ts';
import { addressOf, noteChangedKey } from './member-access.ts';
import { secretsOn } from './member-secrets.ts';
import { parseProbe, probeCommand } from './remote/probe.ts';
import type { RemoteParts } from './remote-parts.ts';

/** The machine ends its own look; this is for the way there and back. */
const WAY_MS = 4_000;
const ANSWER_BYTES = 65_536;
/** A command of the owner's that takes longer is unknown. */
const CUSTOM_TIMEOUT_S = 5;

/** Probes a member that runs. */
export async function probeMember(
  parts: RemoteParts & { readonly policy: Policy },
  row: MemberRow,
  rule: IdlePolicy,
): Promise<Probe> {
  const command = row.settings.cloud?.activityCommand ?? null;
  const request = {
    processNames: rule.processNames,
    custom: command === null ? null : { command, timeoutS: CUSTOM_TIMEOUT_S },
  };
  try {
    const { limitMs, ...call } = probeCommand(parts.scripts.probe, request);
    const address = await addressOf(parts, row);
    const ran = await parts.ssh.run(address, { ...call, timeoutMs: limitMs + WAY_MS, capBytes: ANSWER_BYTES });
    if (ran.stdout === '' && ran.code !== 0)
      return { unreachable: ran.lost ?? `the probe ended with ${ran.code ?? '?'}` };
    const probe = parseProbe(ran.stdout, { request, at: new Date().toISOString() });
    if (!('customSays' in probe) || probe.customSays === '') return probe;
    const { values, complete } = await secretsOn(parts, row, 'leave');
    return { ...probe, customSays: complete ? redactedHead(probe.customSays, values) : '' };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    await noteChangedKey(parts, row, error);
    return { unreachable: error.message };
  }
}

/** The busiest GPU of a look, percent; null when none could be read. */
export function gpuPercentOf(probe: Probe): number | null {
  if ('unreachable' in probe || probe.gpu.kind !== 'gpus') return null;
  const used = probe.gpu.gpus.flatMap(({ utilizationPercent }) =>
    utilizationPercent === null ? [] : [utilizationPercent],
  );
  return used.length === 0 ? null : Math.max(...used);
}
