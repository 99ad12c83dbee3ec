// Evidence of use: what in a probe's values says that a machine works, that it rests, or that it cannot be told.
import type { IdlePolicy } from './idle-policy.ts';
import type { GpuSight, Probe, ProbeValues } from './probe.ts';
import { spanText } from './span.ts';

/** Sentences with numbers, each under what it speaks for. */
export interface Evidence {
  readonly busy: readonly string[];
  readonly unknown: readonly string[];
  readonly idle: readonly string[];
  /** Null where the GPUs were not read: what was counted about them stays as it is. */
  readonly gpu: { readonly works: boolean; readonly contexts: number } | null;
  readonly logins: number | null;
}

interface Sentences {
  readonly busy: string[];
  readonly unknown: string[];
  readonly idle: string[];
}

/** Sorts a probe's values by what they speak for; what counts only for a while is left to {@link boundedUse}. */
export function evidenceOf(probe: Probe, policy: IdlePolicy): Evidence {
  const says: Sentences = { busy: [], unknown: [], idle: [] };
  if ('unreachable' in probe) {
    says.unknown.push(`not reachable: ${probe.unreachable}`);
    return { ...says, gpu: null, logins: null };
  }
  const gpu = policy.gpuBusyPercent === null ? null : gpuEvidence(probe.gpu, policy.gpuBusyPercent, says);
  cpuEvidence(probe, policy, says);
  networkEvidence(probe, policy, says);
  ownWork(probe, policy, says);
  namedProcesses(probe, policy, says);
  customEvidence(probe, says);
  if (policy.loginsCount && probe.logins === null) says.unknown.push('logins cannot be read');
  if (!probe.complete) says.unknown.push('the answer of the probe broke off');
  return { ...says, gpu, logins: policy.loginsCount ? probe.logins : 0 };
}

function gpuEvidence(sight: GpuSight, busyPercent: number, says: Sentences): Evidence['gpu'] {
  if (sight.kind === 'none') {
    says.idle.push('no GPU');
    return { works: false, contexts: 0 };
  }
  if (sight.kind === 'unreadable') {
    says.unknown.push(`GPUs cannot be read: ${sight.why}`);
    return null;
  }
  let works = false;
  for (const { index, utilizationPercent } of sight.gpus) {
    if (utilizationPercent === null) {
      // Without a process nothing can compute there, whatever the driver does not tell.
      if (sight.apps.length > 0) says.unknown.push(`GPU ${index} does not tell its utilisation`);
    } else if (utilizationPercent >= busyPercent) {
      works = true;
      says.busy.push(`GPU ${index} at ${utilizationPercent} % (${busyPercent} % counts)`);
    } else {
      says.idle.push(`GPU ${index} at ${utilizationPercent} %`);
    }
  }
  return { works, contexts: sight.apps.length };
}

function cpuEvidence({ cpuPercent, cpuCores }: ProbeValues, policy: IdlePolicy, says: Sentences): void {
  const { cpuBusyPercent, cpuBusyCores } = policy;
  if (cpuBusyPercent === null && cpuBusyCores === null) return;
  if (cpuPercent === null) {
    says.unknown.push('CPU cannot be read');
    return;
  }
  const cores = cpuCores === null ? null : (cpuPercent / 100) * cpuCores;
  const shown = `CPU at ${rounded(cpuPercent)} %${cores === null ? '' : `, ${rounded(cores)} of ${cpuCores} cores`}`;
  if (cpuBusyPercent !== null && cpuPercent >= cpuBusyPercent) says.busy.push(`${shown} (${cpuBusyPercent} % counts)`);
  else if (cpuBusyCores !== null && cores !== null && cores >= cpuBusyCores) {
    says.busy.push(`${shown} (${cpuBusyCores} cores count)`);
  } else says.idle.push(shown);
}

function networkEvidence({ networkBytesPerSecond: rate }: ProbeValues, policy: IdlePolicy, says: Sentences): void {
  const counts = policy.networkBusyBytesPerSecond;
  if (counts === null) return;
  if (rate === null) says.unknown.push('network cannot be read');
  else if (rate >= counts) says.busy.push(`network at ${megabytes(rate)} MB/s (${megabytes(counts)} MB/s counts)`);
  else says.idle.push(`network at ${megabytes(rate)} MB/s`);
}

function ownWork({ jobHeartbeatAgeS, runsInFlight }: ProbeValues, policy: IdlePolicy, says: Sentences): void {
  if (jobHeartbeatAgeS !== null) {
    const ageMs = jobHeartbeatAgeS * 1000;
    const shown = `youngest heartbeat of a job ${spanText(ageMs)} ago`;
    if (ageMs <= policy.heartbeatFreshMs) says.busy.push(shown);
    else says.idle.push(shown);
  }
  if (runsInFlight === null) says.unknown.push('commands in flight cannot be read');
  else if (runsInFlight > 0) says.busy.push(`${counted(runsInFlight, 'command')} in flight`);
}

function namedProcesses({ processes }: ProbeValues, { processNames }: IdlePolicy, says: Sentences): void {
  for (const name of processNames) {
    const found = processes.find((one) => one.name === name);
    if (!found) says.unknown.push(`processes named ${name} were not looked for`);
    else if (found.count > 0) says.busy.push(`${counted(found.count, 'process', 'es')} named ${name}`);
    else says.idle.push(`no process named ${name}`);
  }
}

function customEvidence({ custom, customSays }: ProbeValues, says: Sentences): void {
  if (custom === null) return;
  if (custom === 'unknown') {
    says.unknown.push(`the member's command says neither busy nor idle${customSays === '' ? '' : `: ${customSays}`}`);
  } else says[custom].push(`the member's command says ${custom}`);
}

/** Evidence that counts for a while only, with how long it has been seen without any better, ms of watched time. */
export interface Bounded {
  readonly contextMs: number;
  readonly loginsMs: number;
}

/** What processes that merely hold a GPU, and logins, speak for; the other side is what they no longer speak for. */
export function boundedUse(evidence: Evidence, policy: IdlePolicy, seen: Bounded): Pick<Evidence, 'busy' | 'idle'> {
  const busy: string[] = [];
  const idle: string[] = [];
  if (evidence.gpu && evidence.gpu.contexts > 0 && !evidence.gpu.works) {
    const shown = `${counted(evidence.gpu.contexts, 'process', 'es')} on a GPU without using it`;
    const leftMs = policy.gpuContextBoundMs - seen.contextMs;
    if (policy.gpuContextCounts === 'always') busy.push(shown);
    else if (policy.gpuContextCounts === 'never') idle.push(`${shown}, which does not count`);
    else if (leftMs > 0) busy.push(`${shown}; counts for another ${spanText(leftMs)}`);
    else idle.push(`${shown} for ${spanText(seen.contextMs)}, which no longer counts`);
  }
  if (evidence.logins !== null && evidence.logins > 0) {
    const shown = counted(evidence.logins, 'login');
    const leftMs = policy.loginsBoundMs - seen.loginsMs;
    if (leftMs > 0) busy.push(`${shown}; alone they count for another ${spanText(leftMs)}`);
    else idle.push(`${shown} and nothing else for ${spanText(seen.loginsMs)}, which no longer counts`);
  } else if (evidence.logins === 0 && policy.loginsCount) idle.push('no login');
  return { busy, idle };
}

function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`;
}

const rounded = (value: number) => Math.round(value * 10) / 10;
const megabytes = (bytes: number) => Math.round(bytes / 10_000) / 100;
