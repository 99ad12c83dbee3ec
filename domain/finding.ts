// What `reconcile` finds that nobody seems to know: an entry that stays open until it is no longer so.

export const FINDING_KINDS = [
  'instance_without_member',
  'member_without_instance',
  'lease_without_workflow',
  'task_lost',
  'job_lost',
  'tenant_budget',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface FindingWish {
  readonly kind: FindingKind;
  /** Unique in its kind: a target, a member's, a task's or a job's id, a lease, or a tenant. */
  readonly subject: string;
  readonly tenant: string;
  /** One sentence for people. */
  readonly says: string;
}

/** Whose it is when it is nobody's: the tenant of those who run Fermata. */
export const NOBODYS_TENANT = 'default';
