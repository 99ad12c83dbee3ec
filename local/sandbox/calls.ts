// Counts the EC2 calls that arrived since the start, for tests that bound how many a task may make.
export class Calls {
  readonly #since = new Date().toISOString();
  readonly #byAction = new Map<string, number>();

  /** Every call counts, refused and faulty ones too. */
  add(action: string): void {
    this.#byAction.set(action, (this.#byAction.get(action) ?? 0) + 1);
  }

  count(): { since: string; total: number; calls: Record<string, number> } {
    const counts = [...this.#byAction.values()];
    return {
      since: this.#since,
      total: counts.reduce((sum, count) => sum + count, 0),
      calls: Object.fromEntries(this.#byAction),
    };
  }
}
