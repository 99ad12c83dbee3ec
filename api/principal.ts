// Who asks: without authentication everybody is the same anonymous principal of the one tenant.
import type { Request } from 'express';

export interface Caller {
  readonly tenant: string;
  readonly principal: string;
}

const ANYBODY: Caller = { tenant: 'default', principal: 'anonymous' };

/** The caller of a request. */
export function principalOf(_request: Request): Caller {
  return ANYBODY;
}
