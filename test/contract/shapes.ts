// How the tests of the contract look at answers: names in their order, and errors in their two forms.
import { z } from 'zod';
import type { Answer, Api } from '../kit/http.ts';

export const TASK_KEYS = [
  'task_id',
  'operation',
  'resource',
  'status',
  'result',
  'error',
  'created_at',
  'updated_at',
  'phase',
  'reason',
  'plan_digest',
  'requested_by',
  'decided_by',
  'approve_by',
  'attempts',
];
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

/** The names of an object's fields in their order on the wire. */
export function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

/** Checks that an answer is one error as the contract has it, in compact JSON. */
export function expectError(answer: Answer, status: number, code: string, detail: unknown): void {
  expect(answer.body).toEqual({ detail, code, request_id: answer.headers.get('x-request-id') });
  expect(answer.status).toBe(status);
  expect(keysOf(answer.body)).toEqual(['detail', 'code', 'request_id']);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json(; charset=utf-8)?$/);
  expect(answer.text).toBe(JSON.stringify(answer.body));
}

/** The entries of a 422. */
export function issuesIn(answer: Answer): unknown[] {
  expect(answer.status).toBe(422);
  return z.object({ detail: z.array(z.unknown()) }).parse(answer.body).detail;
}

/** Sends a raw body with a content type of its own. */
export function post(api: Api, path: string, body: string | Uint8Array, contentType?: string): Promise<Answer> {
  return api.call('POST', path, body, contentType === undefined ? {} : { 'content-type': contentType });
}

export const NOT_CONFIRMABLE = (id: string) =>
  `Task '${id}' is not awaiting confirmation (it may not exist, have already completed, or timed out).`;
export const NOT_TERMINABLE = (id: string) =>
  `Task '${id}' could not be terminated (unknown, already finished, or in a terminal state).`;
