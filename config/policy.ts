// config.json in the words and units of the domain.
import type { Policy } from '../domain/policy.ts';
import type { Config } from './schema.ts';

/** At least 1, because 0 means no limit to a timer and to Temporal. */
const ms = (seconds: number) => Math.max(1, Math.round(seconds * 1000));

/** The policy that a config file stands for. */
export function policyOf({ high_risk_operations, allow_unguarded, confirmation, execution }: Config): Policy {
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
  };
}
