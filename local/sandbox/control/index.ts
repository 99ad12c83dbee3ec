// The control API under /_sandbox/: faults, checks, losses of machines, and what was called, as JSON.
import { faultJson, faultOf } from './faults.ts';
import { Rejection } from './fields.ts';
import { failed, forceChecks, instanceJson, namedInstance } from './instances.ts';
import type { Calls } from '../calls.ts';
import type { Faults } from '../faults.ts';
import type { Persistence } from '../persistence.ts';

export interface Controlled {
  readonly persistence: Persistence;
  readonly faults: Faults;
  readonly calls: Calls;
}

export interface ControlRequest {
  readonly method: string;
  /** What follows /_sandbox/. */
  readonly path: string;
  readonly body: string;
  readonly requestId: string;
}

export function control(request: ControlRequest, { persistence, faults, calls }: Controlled): unknown {
  const { cloud } = persistence;
  const now = Date.now();
  const [noun = '', encodedName, act] = request.path.split('/');
  const route = `${request.method} ${[noun, encodedName === undefined ? '' : '/{id}', act ? `/${act}` : ''].join('')}`;
  const instance = () => namedInstance(decoded(encodedName ?? ''), cloud, now);
  switch (route) {
    case 'GET faults':
      return { faults: faults.list().map(faultJson) };
    case 'POST faults': {
      const fault = faultOf(request.body, cloud);
      faults.add(fault);
      return { fault: faultJson(fault) };
    }
    case 'DELETE faults':
      return { removed: faults.clear() };
    case 'GET calls':
      return calls.count();
    case 'GET instances':
      return { instances: cloud.instances(now).map((each) => instanceJson(each, cloud, now)) };
    case 'GET instances/{id}':
      return instanceJson(instance(), cloud, now);
    case 'POST instances/{id}/checks': {
      const found = instance();
      forceChecks(request.body, found, cloud);
      return instanceJson(found, cloud, now);
    }
    case 'POST instances/{id}/fail': {
      const found = instance();
      const { after, effect } = failed(request.body, found, cloud, now);
      persistence.commit({ ...effect, request_id: request.requestId }, now, after ? { instances: [after] } : {});
      return instanceJson(after ?? found, cloud, now);
    }
    default:
      throw new Rejection(`there is no ${request.method} /_sandbox/${request.path}`, 404);
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new Rejection('the path is not well encoded');
  }
}
