// Accepting work: every route that changes something submits a task and answers the same 202.
import type { Request, Response } from 'express';
import { Failure } from '../domain/failures.ts';
import type { JsonObject } from '../domain/task.ts';
import type { Service } from '../service/open.ts';
import { submit } from '../service/submit.ts';
import { waitForTask } from '../service/tasks.ts';
import { waitMsOf } from './prefer.ts';
import { principalOf } from './principal.ts';

/** Submits a task for the caller, waits as long as `Prefer: wait=N` says, and answers 202. */
export async function accept(
  service: Service,
  request: Request,
  response: Response,
  {
    operation,
    resource,
    params,
  }: { readonly operation: string; readonly resource: string; readonly params: JsonObject },
): Promise<void> {
  const { tenant, principal } = principalOf(request);
  const idempotencyKey = idempotencyKeyOf(request);
  const { taskId, heldFor, replayed } = await submit(service, {
    tenant,
    principal,
    operation,
    resource,
    params,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  });
  const waitMs = waitMsOf(request, response);
  // The task is kept; whatever happens while its caller waits is no reason to say otherwise.
  if (waitMs > 0) await waitForTask(service, tenant, taskId, waitMs).catch(() => undefined);
  if (replayed) response.set('Idempotency-Replayed', 'true');
  const why = heldFor && WHY_HELD[heldFor];
  const message = why
    ? `Task '${taskId}' submitted. Operation '${operation}' ${why} — send ` +
      `POST /api/v1/tasks/${taskId}/confirm with {"confirmed": true} to proceed.`
    : `Task '${taskId}' submitted and running in background.`;
  response
    .status(202)
    .set({ Location: `/api/v1/tasks/${taskId}`, 'Retry-After': '1' })
    .json({ task_id: taskId, status: 'PENDING', is_high_risk: why !== undefined, message });
}

/** What is said of a task that waits for a decision. */
const WHY_HELD = { high_risk: 'is HIGH RISK', guarded_member: 'changes a GUARDED member' } as const;

const KEY = /^(?:"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255}))$/;

/** The key, bare or quoted. Throws `IdempotencyKeyInvalid`. */
function idempotencyKeyOf(request: Request): string | undefined {
  const given = request.get('idempotency-key');
  if (given === undefined) return undefined;
  const [, quoted, bare] = KEY.exec(given) ?? [];
  const key = quoted ?? bare;
  if (key === undefined) throw new Failure('IdempotencyKeyInvalid');
  return key;
}
