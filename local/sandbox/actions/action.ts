// What an AWS action is here: a read that answers, or a change that says what it would alter before anything is altered.
import type { Cloud } from '../cloud.ts';
import type { Effect } from '../effects.ts';
import type { Hosts } from '../host/hosts.ts';
import type { Query } from '../query.ts';
import { missingParameter } from '../refusal.ts';
import type { Records } from '../records.ts';
import type { Branch } from '../xml.ts';

export interface Call {
  readonly query: Query;
  readonly cloud: Cloud;
  /** Undefined in a sandbox whose instances are no SSH hosts. */
  readonly hosts: Hosts | undefined;
  readonly now: number;
}

export interface Change {
  readonly answer: Branch;
  /** What goes into the effects file beside what every call has. */
  readonly effect: Pick<Effect, 'instance_ids' | 'changed'> & Partial<Effect>;
  readonly records: Partial<Records>;
}

interface Described {
  readonly name: string;
  /** Top-level parameters it understands, besides those of every call. */
  readonly parameters: readonly string[];
}

export type Read = Described & { readonly kind: 'read'; readonly run: (call: Call) => Branch };
export type Mutation = Described & { readonly kind: 'change'; readonly run: (call: Call) => Change };
export type Action = Read | Mutation;

export const everyCallHas = ['Action', 'Version', 'DryRun'] as const;

export function requiredIds(query: Query, name: string): string[] {
  const ids = query.list(name);
  if (ids.length === 0) throw missingParameter(name);
  return ids;
}
