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

/** Somebody who was refused a lease and waits for it. */
export type LeaseWaiter = LeaseWish & {
  /** Workflow id of who waits. */
  readonly asker: string;
  /** ISO, since when. */
  readonly since: string;
};

/**
 * Those who wait for a target and could have it now, in the order in which they came. Sharers go together, and pass
 * somebody who wants it alone while others share it; whoever wants it alone goes alone.
 */
export function nextInLine(waiters: readonly LeaseWaiter[], held: readonly Lease[]): LeaseWaiter[] {
  const inOrder = [...waiters].sort((a, b) => a.since.localeCompare(b.since) || a.asker.localeCompare(b.asker));
  const free = inOrder.filter((waiter) => inTheWay(waiter, waiter.asker, held).length === 0);
  const [first] = free;
  if (first?.mode === 'exclusive') return [first];
  return free.filter(({ mode }) => mode === 'shared');
}

/** The leases held by others that stand in the way of a wish; none means it can be granted. */
export function inTheWay(wish: LeaseWish, holder: string, held: readonly Lease[]): Lease[] {
  return held.filter(
    (lease) =>
      lease.target === wish.target &&
      lease.holder !== holder &&
      (lease.mode === 'exclusive' || wish.mode === 'exclusive'),
  );
}
