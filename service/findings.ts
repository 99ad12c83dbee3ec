// What `reconcile` found, for those who look after it.
import { reaching } from '../clients/postgres.ts';
import type { FindingPage, FindingRow } from '../store/findings.ts';
import { listFindings } from '../store/findings.ts';
import type { Service } from './open.ts';

export type { FindingPage, FindingRow };

/** A page of a tenant's findings, newest first. */
export function getFindings({ postgres }: Pick<Service, 'postgres'>, tenant: string, page: FindingPage) {
  return reaching(listFindings(postgres.db, tenant, page));
}
