// The one table of errors: what each is called, its code and HTTP status, whether a retry can help, and its words.
import type { TaskReason } from './task.ts';

export interface FailureRow {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  /** What a task that ends by it gives as its reason. */
  readonly reason?: TaskReason;
  /** `{name}` stands for a detail of the failure. */
  readonly text: string;
}

const row = (code: string, status: number, text: string, more: Partial<FailureRow> = {}): FailureRow => ({
  code,
  status,
  text,
  retryable: false,
  ...more,
});

export const FAILURES = {
  UnknownOperation: row('unknown_operation', 400, "Unknown operation '{operation}'. Available: {available}", {
    reason: 'invalid',
  }),
  MissingParams: row('missing_params', 422, "Missing required params for '{operation}': {missing}", {
    reason: 'invalid',
  }),
  InvalidParams: row('invalid_params', 422, "Params of '{operation}' are not valid: {why}", { reason: 'invalid' }),
  InvalidRequest: row('invalid_request', 422, 'The request is not valid: {why}'),
  MalformedBody: row('malformed_body', 400, 'There was an error parsing the body'),
  BodyTooLarge: row('body_too_large', 413, 'The body is larger than {limit} bytes.'),
  RouteNotFound: row('not_found', 404, 'Not Found'),
  MethodNotAllowed: row('method_not_allowed', 405, 'Method Not Allowed'),
  TaskNotFound: row('task_not_found', 404, "Task '{id}' not found."),
  NotAwaitingConfirmation: row(
    'not_awaiting_confirmation',
    409,
    "Task '{id}' is not awaiting confirmation (it may not exist, have already completed, or timed out).",
  ),
  AlreadyDecided: row(
    'already_decided',
    409,
    "Task '{id}' is not awaiting confirmation: it was already {decision} by {by}.",
  ),
  PlanDigestMismatch: row(
    'plan_digest_mismatch',
    412,
    "The plan of task '{id}' has digest {actual}, not {given}: read the plan again and decide on that one.",
  ),
  NotTerminable: row(
    'not_terminable',
    409,
    "Task '{id}' could not be terminated (unknown, already finished, or in a terminal state).",
  ),
  IdempotencyKeyInvalid: row(
    'idempotency_key_invalid',
    400,
    'Idempotency-Key must be 1 to 255 visible ASCII characters, optionally in double quotes.',
  ),
  IdempotencyKeyReused: row(
    'idempotency_key_reused',
    422,
    "This Idempotency-Key was used before with another body, for task '{id}'.",
  ),
  TooManyFollowers: row('too_many_followers', 503, 'Already {limit} readers follow the events; try again later.', {
    retryable: true,
  }),
  OriginNotAllowed: row('origin_not_allowed', 400, 'Disallowed CORS origin'),
  TemporalUnavailable: row('temporal_unavailable', 503, 'Temporal does not answer. Repeat the request.', {
    retryable: true,
  }),
  StartUnknown: row(
    'start_unknown',
    503,
    "Temporal did not say whether task '{id}' was started. Look it up, or repeat with the same Idempotency-Key.",
    { retryable: true },
  ),
  StoreUnavailable: row('store_unavailable', 503, 'PostgreSQL does not answer. Repeat the request.', {
    retryable: true,
  }),
  DecisionUnanswered: row(
    'decision_unanswered',
    503,
    "Task '{id}' did not record the decision in time, and will not record it later. Repeat the request.",
    { retryable: true },
  ),
  Internal: row('internal_error', 500, 'Internal Server Error'),

  ConfirmationRejected: row('rejected', 409, "Task '{id}' was rejected by {by}.{comment}", { reason: 'rejected' }),
  ConfirmationTimeout: row('expired', 409, "Task '{id}' was not approved within {seconds}s; silence is a no.", {
    reason: 'expired',
  }),
  TaskTerminated: row('cancelled', 409, "Task '{id}' was cancelled by {by}.", { reason: 'cancelled' }),
  TaskTimeout: row('deadline_exceeded', 409, "Task '{id}' exceeded timeout of {seconds}s.", {
    reason: 'deadline_exceeded',
  }),
  PlanSuperseded: row('superseded', 409, 'The plan no longer holds: {why}', { reason: 'superseded' }),
  LeaseConflict: row('conflict', 409, '{target} is in use by {holder}; gave up after {seconds}s.', {
    reason: 'conflict',
  }),
  LeaseLost: row('conflict', 409, 'The lease on {target} is no longer held by this task, so it was not touched.', {
    reason: 'conflict',
  }),
  RetriesExhausted: row('retries_exhausted', 409, 'Gave up after {attempts} attempts: {why}', {
    reason: 'retries_exhausted',
  }),
  OutcomeUnknown: row('outcome_unknown', 409, 'It is not known whether it took effect: {why}', {
    reason: 'outcome_unknown',
  }),
  TaskIdReused: row('task_id_reused', 409, "Task id '{id}' belongs to an earlier run; start a task with a new id.", {
    reason: 'invalid',
  }),
  TaskIdInvalid: row('task_id_invalid', 422, "A task's workflow id is 'task-' and a lower-case UUID, not '{id}'.", {
    reason: 'invalid',
  }),
  TaskLost: row('lost', 409, "The workflow of task '{id}' is {state} without having said how it ended.", {
    reason: 'lost',
  }),

  MemberNotFound: row('member_not_found', 404, "Member '{ref}' not found.", { reason: 'not_found' }),
  MemberExists: row('member_exists', 409, 'The {what} is already that of {by}; register it once.', {
    reason: 'conflict',
  }),
  MemberChanged: row('member_changed', 409, "Member '{name}' was changed by somebody else meanwhile; read it again."),
  MemberUnusable: row('member_unusable', 409, 'EC2 instance {id} is {state} and cannot be used.', {
    reason: 'conflict',
  }),
  MemberRuns: row(
    'member_runs',
    409,
    "Member '{name}' is {state}: say stop=true to stop its machine first, or stop=false to leave it running and billed.",
    { reason: 'conflict' },
  ),
  MemberInUse: row('member_in_use', 409, "Member '{name}' is in use by {holder}.", { reason: 'conflict' }),
  NotACloudMember: row('not_a_cloud_member', 409, "Member '{name}' is no cloud machine, so it has no {what}.", {
    reason: 'invalid',
  }),
  MemberStopped: row('member_stopped', 409, "Member '{name}' is {state}, and start=never was asked for.", {
    reason: 'conflict',
  }),
  MemberNotReady: row('member_not_ready', 409, "Member '{name}' did not get ready: {why}", { reason: 'failed' }),
  NoHostKey: row(
    'no_host_key',
    409,
    "No host key of '{name}' is known: {why} Give host_key, or choose host_key_policy tofu to trust the first one seen.",
    { reason: 'failed' },
  ),
  CommandNotStarted: row('command_not_started', 409, 'The machine could not begin the command: {why}', {
    reason: 'failed',
  }),
  SecretUnavailable: row('secret_unavailable', 409, 'The {what} cannot be read by the worker: {why}', {
    reason: 'failed',
  }),
  TargetNotFound: row('target_not_found', 404, "{what} '{id}' not found.", { reason: 'not_found' }),
  TargetAmbiguous: row('target_ambiguous', 409, "'{name}' is the name of more than one instance: {ids}. Use an id.", {
    reason: 'conflict',
  }),
  PlanRefused: row('plan_refused', 422, '{why}', { reason: 'invalid' }),
  TargetFailed: row('target_failed', 409, '{why}', { reason: 'failed' }),
  CloudThrottled: row('throttled', 503, 'The cloud asks for fewer calls: {why}', { retryable: true }),
  CloudCapacity: row('capacity', 503, 'The cloud has no capacity: {why}', { retryable: true }),
  CloudAuth: row('auth', 403, 'The cloud refuses these credentials: {why}', { reason: 'unauthorized' }),
  CloudConflict: row('conflict', 409, 'The cloud refuses in this state: {why}', { reason: 'conflict' }),
  CloudInvalid: row('invalid', 422, 'The cloud refuses the request: {why}', { reason: 'invalid' }),
  CloudUnreachable: row('unreachable', 503, 'The cloud does not answer: {why}', { retryable: true }),

  SshUnreachable: row('ssh_unreachable', 503, '{host} cannot be reached by SSH: {why}', { retryable: true }),
  SshBusy: row('ssh_busy', 503, '{host} takes no more commands at a time: {why}', { retryable: true }),
  SshAuth: row('ssh_auth', 403, "{host} does not let '{username}' in with this {credential}.", {
    reason: 'unauthorized',
  }),
  SshKeyRefused: row('ssh_key_refused', 422, "The SSH key '{path}' cannot be used: {why}.", { reason: 'invalid' }),
  HostKeyChanged: row(
    'host_key_changed',
    409,
    '{host} shows the host key {seen}, and pinned is {pinned}: nothing was sent to it.',
    { reason: 'conflict' },
  ),
  RemoteGarbled: row('remote_garbled', 409, 'What the machine answered is not a report: {why}', { reason: 'failed' }),

  JobNotFound: row('job_not_found', 404, "Job '{id}' not found.", { reason: 'not_found' }),
  JobEnded: row('job_ended', 409, "Job '{id}' is {state}: there is nothing to cancel."),
  JobNotRunning: row(
    'job_not_running',
    409,
    "Job '{id}' is {state}: only a running one can be asked for a checkpoint.",
  ),
  JobHasNoCheckpoint: row(
    'job_has_no_checkpoint',
    409,
    "Job '{id}' does not say how to ask it for a checkpoint: its checkpoint has neither a signal nor a command.",
  ),
  CheckpointMissing: row(
    'checkpoint_missing',
    409,
    'Refused, because work would be lost: {why} Cancel the job, or stop with force, which waits for a decision.',
    { reason: 'conflict' },
  ),

  FileNotFound: row('file_not_found', 404, "There is no file '{path}' in the work folder.", { reason: 'not_found' }),
  FileRefused: row('file_refused', 422, "The machine does not carry '{path}': {why}", { reason: 'invalid' }),
  FileTooLarge: row('file_too_large', 409, "'{path}' has {size} bytes; files of up to {limit} are carried.", {
    reason: 'invalid',
  }),
  FileBlocked: row('file_blocked', 503, "'{path}' cannot be carried now: {why}", { retryable: true }),
  BlobUnavailable: row('blob_unavailable', 409, "The bytes of '{id}' cannot be used: {why}", { reason: 'invalid' }),
} as const satisfies Record<string, FailureRow>;
