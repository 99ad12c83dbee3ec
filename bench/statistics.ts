// The few statistics that the measurements need, and how their results are worded.

/** The value below which this share of the values lies; NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The value in the middle; of an even number of values the mean of the two there. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return (low + high) / 2;
}

/** `median (lowest to highest of n)`. */
export function spread(values: readonly number[], unit: string, digits = 0): string {
  const [middle, low, high] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${middle}${unit} (${low} to ${high}, n=${values.length})`;
}

/** How long `work` takes, ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Does `work` once for each index up to `count`, so many at a time, as long as `goOn` says so. */
export async function inParallel(
  count: number,
  atATime: number,
  work: (index: number) => Promise<unknown>,
  goOn: () => boolean = () => true,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count && goOn()) await work(next++);
  };
  await Promise.all(Array.from({ length: atATime }, lane));
}
