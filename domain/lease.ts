// Who may use a target together: the readers-writer rule of leases.

export type LeaseMode = 'shared' | 'exclusive';

export type LeaseWish = {
  /** `<region>/<instance id>` */
  readonly target: string;
  readonly mode: LeaseMode;
};

export type Lease = LeaseWish & {
  /** Workflow id of the holder. */
  readonly holder: string;
};

/** The leases held by others that stand in the way of a wish; none means it can be granted. */
export function inTheWay(wish: LeaseWish, holder: string, held: readonly Lease[]): Lease[] {
  return held.filter(
    (lease) =>
      lease.target === wish.target &&
      lease.holder !== holder &&
      (lease.mode === 'exclusive' || wish.mode === 'exclusive'),
  );
}
