// Every error of the AWS SDK as one of Fermata's failures: the only place that knows EC2's error codes.
import { Failure } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';

/** Codes by what they mean for us; anything else is judged by its HTTP status. */
const BY_CODE: readonly (readonly [RegExp, FailureType])[] = [
  [
    /^(RequestLimitExceeded|Throttling|ThrottlingException|TooManyRequests|SlowDown|EC2ThrottledException)/,
    'CloudThrottled',
  ],
  [
    /(InsufficientInstanceCapacity|InsufficientHostCapacity|InsufficientCapacity|Unsupported\.?Capacity)/,
    'CloudCapacity',
  ],
  [/(NotFound|\.Unknown)$/, 'TargetNotFound'],
  [
    /^(UnauthorizedOperation|AuthFailure|OptInRequired|ExpiredToken|InvalidClientTokenId|SignatureDoesNotMatch|AccessDenied|CredentialsProviderError|Blocked)/,
    'CloudAuth',
  ],
  [/^(IncorrectInstanceState|IncorrectState|InvalidState|OperationNotPermitted|ConcurrentTagAccess)/, 'CloudConflict'],
  [/^(ServiceUnavailable|Unavailable|InternalError|InternalFailure|RequestTimeout)/, 'CloudUnreachable'],
  [/^(Invalid|Missing|Malformed|Unsupported|UnknownParameter|Validation|InstanceLimitExceeded)/, 'CloudInvalid'],
];

/** Errors of a connection that was never made: the request cannot have had an effect. */
const NEVER_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;

/** True when an error says that there is no such instance. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Error && /^InvalidInstanceID\.(NotFound|Malformed)$/.test(error.name);
}

/**
 * Classifies an error. A mutating call (`change`) that was cut off may have had its effect: `OutcomeUnknown`, to be
 * resolved by looking; a read that was cut off is only `CloudUnreachable`.
 */
export function failureOf(error: unknown, call: 'read' | 'change'): unknown {
  if (error instanceof Failure || !(error instanceof Error) || error.name === 'AbortError') return error;
  const why = `${error.name}: ${error.message}`;
  const type = typeOf(error, call);
  return new Failure(type, type === 'TargetNotFound' ? { what: 'Instance', id: error.message } : { why });
}

function typeOf(error: Error, call: 'read' | 'change'): FailureType {
  const status = statusOf(error);
  const byCode = BY_CODE.find(([pattern]) => pattern.test(error.name))?.[1];
  // An internal error of the cloud says nothing about what it did before.
  if (byCode === 'CloudUnreachable' && call === 'change') return 'OutcomeUnknown';
  if (byCode) return byCode;
  if (status === undefined) return call === 'read' || neverSent(error) ? 'CloudUnreachable' : 'OutcomeUnknown';
  if (status === 429) return 'CloudThrottled';
  if (status >= 500) return call === 'read' ? 'CloudUnreachable' : 'OutcomeUnknown';
  return 'CloudInvalid';
}

function statusOf(error: Error): number | undefined {
  const metadata: unknown = Reflect.get(error, '$metadata');
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  const status: unknown = Reflect.get(metadata, 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

function neverSent(error: Error): boolean {
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'string' && NEVER_SENT.test(code)) return true;
  if (/did not establish a connection|connect timeout/i.test(error.message)) return true;
  return error instanceof AggregateError && error.errors.some((inner) => inner instanceof Error && neverSent(inner));
}
