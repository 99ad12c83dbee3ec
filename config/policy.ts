// config.json in the words and units of the domain.
import type { Budget } from '../domain/budget.ts';
import { DEFAULT_IDLE_POLICY } from '../domain/idle-policy.ts';
import type { Policy } from '../domain/policy.ts';
import type { Env } from './env.ts';
import type { Config } from './schema.ts';
import { isLoopback } from './schema.ts';

/** At least 1, because 0 means no limit to a timer and to Temporal. */
const ms = (seconds: number) => Math.max(1, Math.round(seconds * 1000));

/** The policy that a config file stands for. */
export function policyOf(config: Config): Policy {
  const { high_risk_operations, allow_unguarded, confirmation, execution, machines } = config;
  return {
    risk: { highRiskOperations: high_risk_operations, allowUnguarded: allow_unguarded },
    confirmMs: ms(confirmation.timeout_seconds),
    deadlineMs: ms(execution.task_timeout_seconds),
    deadlineMsOf: Object.fromEntries(
      Object.entries(execution.operation_timeout_seconds).map(([name, seconds]) => [name, ms(seconds)]),
    ),
    maxRetries: execution.max_retries,
    retryDelayMs: ms(execution.retry_delay_seconds),
    leaseWaitMs: ms(execution.lease_wait_seconds),
    undo: execution.undo,
    agents: config.agents,
    reachMs: ms(machines.reach_seconds),
    capacityMs: ms(machines.capacity_seconds),
    provision: {
      agentAuth: config.provision.agent_auth,
      vcsToken: vcsTokenOf(config.provision.vcs_token),
    },
    prices: config.prices && {
      asOf: config.prices.as_of,
      usdPerHour: config.prices.usd_per_hour,
      usdPerGibMonth: config.prices.usd_per_gib_month,
    },
    budgets: { member: budgetOf(config.budgets.member), tenant: budgetOf(config.budgets.tenant) },
    jobs: {
      keepSuccessMs: config.jobs.keep_success_hours * 60 * MINUTE_MS,
      keepOtherMs: config.jobs.keep_other_hours * 60 * MINUTE_MS,
      keepLogMs: config.jobs.keep_log_days * 24 * 60 * MINUTE_MS,
    },
    idle: idleOf(config.idle),
  };
}

function vcsTokenOf(token: Config['provision']['vcs_token']): Policy['provision']['vcsToken'] {
  if (!token) return null;
  const { host, expires_in_s: expiresInS, secret, github_app: app } = token;
  if (secret) return { host, expiresInS, secret };
  if (!app) return null;
  return {
    host,
    expiresInS,
    githubApp: {
      apiUrl: app.api_url,
      appId: String(app.app_id),
      installationId: String(app.installation_id),
      privateKey: app.private_key,
    },
  };
}

function budgetOf(budget: Config['budgets']['member']): Budget | null {
  if (!budget) return null;
  return { per: budget.per, warnUsd: budget.warn_usd ?? null, stopUsd: budget.stop_usd ?? null };
}

const MINUTE_MS = 60_000;

function idleOf(idle: Config['idle']): Policy['idle'] {
  return {
    timeScale: idle.time_scale,
    keepVerdictsMs: idle.keep_verdicts_hours * 60 * MINUTE_MS,
    maxSnoozeMin: idle.max_snooze_minutes,
    rule: {
      ...DEFAULT_IDLE_POLICY,
      graceMs: idle.grace_minutes * MINUTE_MS,
      unknownBoundMs: idle.unknown_minutes * MINUTE_MS,
      gpuBusyPercent: idle.gpu_busy_percent,
      cpuBusyPercent: idle.cpu_busy_percent,
      cpuBusyCores: idle.cpu_busy_percent === null ? null : DEFAULT_IDLE_POLICY.cpuBusyCores,
      networkBusyBytesPerSecond: idle.network_busy_bytes_per_second,
      processNames: idle.process_names,
    },
  };
}

/**
 * The sentence that refuses hurried minutes on real machines, which would be stopped under their users; else undefined.
 * Only an endpoint on this very machine is a sandbox: AWS has other names than its own, such as those of a VPC.
 */
export function timeScaleFlaw({ idle }: Policy, { ec2Endpoint: url }: Pick<Env, 'ec2Endpoint'>): string | undefined {
  if (idle.timeScale === 1) return undefined;
  if (url !== undefined && URL.canParse(url) && isLoopback(new URL(url).hostname)) return undefined;
  const where = url === undefined ? 'this is AWS' : `${url} is not on this machine`;
  return `idle.time_scale is ${idle.timeScale}: minutes are shortened for a sandbox at 127.0.0.1 only, and ${where}. Set it to 1.`;
}
