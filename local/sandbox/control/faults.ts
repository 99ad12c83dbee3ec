// The faults of the control API: from JSON to a fault with the error it answers, and back.
import { Fields, Rejection } from './fields.ts';
import { actions } from '../actions/index.ts';
import type { Cloud } from '../cloud.ts';
import { faultKinds } from '../faults.ts';
import type { Fault, FaultKind } from '../faults.ts';
import { Refusal } from '../refusal.ts';

const known = ['action', 'kind', 'times', 'instance_id', 'code', 'status', 'message', 'delay_ms'];

const preset: Readonly<Partial<Record<FaultKind, Refusal>>> = {
  throttle: new Refusal('RequestLimitExceeded', 'Request limit exceeded.', 503),
  capacity: new Refusal(
    'InsufficientInstanceCapacity',
    'We currently do not have sufficient capacity in the Availability Zone you requested. ' +
      'Our system will be working on provisioning additional capacity.',
    500,
  ),
  error: new Refusal('InternalError', 'An internal error has occurred', 500),
};

export function faultOf(json: string, cloud: Cloud): Fault {
  const fields = new Fields(json, known);
  const action = fields.text('action');
  if (action !== '*' && !actions.has(action)) {
    throw new Rejection(`"action" must be "*" or one of ${[...actions.keys()].join(', ')}`);
  }
  const kind = fields.oneOf('kind', faultKinds);
  const times = fields.has('times') ? fields.integer('times', -1, 1_000_000) : 1;
  if (times === 0) throw new Rejection('"times" must be -1 (until removed) or at least 1');
  const refusal = refusalOf(kind, fields);
  if (kind === 'slow' && !fields.has('delay_ms')) throw new Rejection('"delay_ms" says how slow');
  return {
    action,
    kind,
    times,
    ...(fields.has('instance_id') ? { instance_id: idOf(fields.text('instance_id'), cloud) } : {}),
    ...(refusal ? { refusal } : {}),
    delay_ms: fields.has('delay_ms') ? fields.integer('delay_ms', 0, 3_600_000) : 0,
  };
}

export function faultJson({ refusal, ...fault }: Fault): Record<string, unknown> {
  return refusal ? { ...fault, code: refusal.code, status: refusal.status, message: refusal.message } : fault;
}

function refusalOf(kind: FaultKind, fields: Fields): Refusal | undefined {
  const usual = preset[kind];
  if (!usual) return undefined;
  return new Refusal(
    fields.has('code') ? fields.text('code') : usual.code,
    fields.has('message') ? fields.text('message') : usual.message,
    fields.has('status') ? fields.integer('status', 400, 599) : usual.status,
  );
}

function idOf(idOrName: string, cloud: Cloud): string {
  const instance = cloud.named(idOrName, Date.now());
  if (!instance) throw new Rejection(`no instance has the id or the unique name "${idOrName}"`, 404);
  return instance.id;
}
