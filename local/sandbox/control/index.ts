// The control API under /_sandbox/: faults, checks, losses of machines, SSH hosts, and what was called, as JSON.
import { faultJson, faultOf } from './faults.ts';
import { Rejection } from './fields.ts';
import { hostAct } from './hosts.ts';
import { failed, forceChecks, instanceJson, namedInstance } from './instances.ts';
import type { Calls } from '../calls.ts';
import type { Faults } from '../faults.ts';
import type { Hosts } from '../host/hosts.ts';
import type { Persistence } from '../persistence.ts';

export interface Controlled {
  readonly persistence: Persistence;
  readonly faults: Faults;
  readonly calls: Calls;
  readonly hosts: Hosts | undefined;
}

export interface ControlRequest {
  readonly method: string;
  /** What follows /_sandbox/. */
  readonly path: string;
  readonly body: string;
  readonly requestId: string;
}

export async function control(request: ControlRequest, box: Controlled): Promise<unknown> {
  const { persistence, faults, calls, hosts } = box;
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
      return { instances: cloud.instances(now).map((each) => instanceJson(each, cloud, hosts, now)) };
    case 'GET instances/{id}':
      return instanceJson(instance(), cloud, hosts, now);
    case 'POST instances/{id}/checks': {
      const found = instance();
      forceChecks(request.body, found, cloud);
      return instanceJson(found, cloud, hosts, now);
    }
    case 'POST instances/{id}/fail': {
      const found = instance();
      const { after, effect } = failed(request.body, found, cloud, now);
      persistence.commit({ ...effect, request_id: request.requestId }, now, after ? { instances: [after] } : {});
      return instanceJson(after ?? found, cloud, hosts, now);
    }
    case `POST instances/{id}/${act}`: {
      if (!hosts) throw new Rejection('the instances of this sandbox are no SSH hosts', 409);
      const done = await hostAct(act ?? '', request.body, instance(), hosts);
      if (done !== undefined) return done;
      throw unknown(request);
    }
    default:
      throw unknown(request);
  }
}

const unknown = ({ method, path }: ControlRequest) => new Rejection(`there is no ${method} /_sandbox/${path}`, 404);

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new Rejection('the path is not well encoded');
  }
}
