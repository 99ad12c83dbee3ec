// One EC2 call from form to answer: who asks, which action, which fault, and what goes into the effects file.
import { principalOf } from './principal.ts';
import type { Action, Call, Change, Mutation } from '../actions/action.ts';
import { everyCallHas } from '../actions/action.ts';
import { actions } from '../actions/index.ts';
import type { Cloud } from '../cloud.ts';
import type { Controlled } from '../control/index.ts';
import type { FaultKind } from '../faults.ts';
import type { Persistence } from '../persistence.ts';
import { parseQuery } from '../query.ts';
import type { Query } from '../query.ts';
import { authFailure, dryRun, Refusal } from '../refusal.ts';
import { answerXml, errorXml } from '../xml.ts';
import type { Branch } from '../xml.ts';

export interface Ec2Request {
  readonly form: string;
  readonly authorization: string | undefined;
  readonly requestId: string;
}

interface Ec2Answer {
  readonly status: number;
  readonly xml: string;
}

/** What becomes of the answer: sent after a while, never sent, or the connection cut in its place. */
export interface Delivery {
  readonly answer: Ec2Answer;
  readonly how: 'send' | 'withhold' | 'cut';
  readonly afterMs: number;
}

interface Asked {
  readonly action: Action;
  readonly query: Query;
  readonly principal: string;
  readonly requestId: string;
}

export function ec2(request: Ec2Request, box: Controlled): Delivery {
  try {
    const query = parseQuery(request.form);
    const name = query.text('Action');
    const action = name === undefined ? undefined : actions.get(name);
    box.calls.add(action?.name ?? 'InvalidAction');
    const principal = principalOf(request.authorization);
    if (principal === undefined) throw authFailure();
    if (name === undefined) {
      throw new Refusal('MissingAction', 'The request is missing an action or a required parameter.');
    }
    if (!action) throw new Refusal('InvalidAction', `The action ${name} is not valid for this web service.`);
    return delivered({ action, query, principal, requestId: request.requestId }, box);
  } catch (problem) {
    return sent(refused(problem, request.requestId));
  }
}

function delivered(asked: Asked, box: Controlled): Delivery {
  const fault = box.faults.take(asked.action.name, idsOf(asked, box.persistence.cloud));
  if (!fault) return sent(answerOf(asked, box));
  const { kind, refusal, delay_ms: afterMs } = fault;
  if (refusal) return { answer: refused(refusal, asked.requestId), how: 'send', afterMs };
  if (kind === 'hang') return { answer: { status: 200, xml: '' }, how: 'withhold', afterMs };
  return { answer: answerOf(asked, box), how: howOf(kind), afterMs };
}

function howOf(kind: FaultKind): Delivery['how'] {
  if (kind === 'lost_answer') return 'cut';
  return kind === 'lost_answer_slow' ? 'withhold' : 'send';
}

function answerOf(asked: Asked, box: Controlled): Ec2Answer {
  try {
    const { action, requestId } = asked;
    return { status: 200, xml: answerXml(action.name, requestId, performed(asked, box)) };
  } catch (problem) {
    return refused(problem, asked.requestId);
  }
}

function performed(asked: Asked, { persistence, hosts }: Controlled): Branch {
  const { action, query } = asked;
  const { cloud } = persistence;
  const now = Date.now();
  const call = { query, cloud, hosts, now };
  if (action.kind === 'read') {
    query.knowsOnly([...everyCallHas, ...action.parameters]);
    const answer = action.run(call);
    if (query.flag('DryRun')) throw dryRun();
    return answer;
  }
  const { answer, effect, records } = planned(asked, action, call, persistence);
  if (query.flag('DryRun')) throw dryRun();
  persistence.commit({ ...said(asked), outcome: 'ok', ...effect }, now, records);
  return answer;
}

/** A refused change is an effect too, one that changed nothing; a dry run never is one. */
function planned(asked: Asked, action: Mutation, call: Call, persistence: Persistence): Change {
  try {
    call.query.knowsOnly([...everyCallHas, ...action.parameters]);
    call.query.flag('DryRun');
    return action.run(call);
  } catch (problem) {
    if (problem instanceof Refusal && call.query.text('DryRun') !== 'true') {
      const effect = { ...said(asked), instance_ids: idsOf(asked, call.cloud), outcome: problem.code, changed: [] };
      persistence.commit(effect, call.now);
    }
    throw problem;
  }
}

function said({ action, query, principal, requestId }: Asked) {
  const token = query.text('ClientToken');
  return {
    action: action.name,
    request_id: requestId,
    principal,
    ...(token === undefined ? {} : { client_token: token }),
  };
}

/** The instances a call is about, as far as it can be told before it is understood. */
function idsOf({ query }: Asked, cloud: Cloud): string[] {
  const owner = cloud.ownerOf(query.text('VolumeId') ?? '', Date.now());
  return [...query.list('InstanceId'), ...query.list('ResourceId'), ...(owner ? [owner.id] : [])];
}

const sent = (answer: Ec2Answer): Delivery => ({ answer, how: 'send', afterMs: 0 });

function refused(problem: unknown, requestId: string): Ec2Answer {
  if (problem instanceof Refusal) {
    return { status: problem.status, xml: errorXml(requestId, problem.code, problem.message) };
  }
  process.stderr.write(`sandbox: request ${requestId} failed: ${String(problem)}\n`);
  return { status: 500, xml: errorXml(requestId, 'InternalError', 'An internal error has occurred') };
}
