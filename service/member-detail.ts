// One member in full: what was registered and observed, who holds its machine, who waits for it, and its ready steps.
import { reaching } from '../clients/postgres.ts';
import type { LeaseRow } from '../store/leases.ts';
import { leasesOn } from '../store/leases.ts';
import type { ReadyRunRow } from '../store/ready-runs.ts';
import { readyRunsOf } from '../store/ready-runs.ts';
import type { WaitingTask } from '../store/tasks.ts';
import { tasksWaitingFor } from '../store/tasks.ts';
import type { MemberCost } from './cost.ts';
import { memberCost } from './cost.ts';
import type { MemberRow } from './members.ts';
import { getMember } from './members.ts';
import type { Service } from './open.ts';

export interface MemberDetail {
  readonly row: MemberRow & { readonly now: Date };
  readonly leases: readonly LeaseRow[];
  readonly waiting: readonly WaitingTask[];
  readonly readyRuns: readonly ReadyRunRow[];
  /** Null for a machine that is not in the cloud. */
  readonly cost: MemberCost | null;
}

/** Reads it from the store alone: looking never starts, and never asks, a machine. Throws `MemberNotFound`. */
export async function getMemberDetail(service: Service, tenant: string, ref: string): Promise<MemberDetail> {
  const row = await getMember(service, tenant, ref);
  const { db } = service.postgres;
  const [leases, waiting, readyRuns] = await reaching(
    Promise.all([leasesOn(db, [row.target]), tasksWaitingFor(db, row.target), readyRunsOf(db, row.id)]),
  );
  const cost = row.settings.cloud ? await memberCost(service, row, { leases, now: row.now.toISOString() }) : null;
  return { row, leases, waiting, readyRuns, cost };
}
