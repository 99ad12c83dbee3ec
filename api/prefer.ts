// `Prefer: wait=N` (RFC 7240): the caller would rather wait a little than ask again.
import type { Request, Response } from 'express';

const LONGEST_WAIT_S = 30;

/** How long the caller wants to wait, ms, 0 when not at all; says in the answer what was agreed to. */
export function waitMsOf(request: Request, response: Response): number {
  const wanted = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(request.get('prefer') ?? '')?.[1];
  if (wanted === undefined) return 0;
  const seconds = Math.min(Number(wanted), LONGEST_WAIT_S);
  response.set('Preference-Applied', `wait=${seconds}`);
  return seconds * 1000;
}
