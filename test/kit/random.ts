// Randomness that can be repeated: a seed is printed, and the same seed gives the same run.

export interface Random {
  readonly seed: number;
  /** In [0, 1). */
  next(): number;
  /** An integer from `low` to `high`. */
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
}

/** The generator mulberry32; the seed comes from FERMATA_SEED or the clock. */
export function randomOf(given?: number): Random {
  const seed = given ?? Number(process.env['FERMATA_SEED'] ?? Date.now() % 2 ** 31);
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    seed,
    next,
    between,
    pick: (from) => {
      const picked = from[between(0, from.length - 1)];
      if (picked === undefined) throw new Error('nothing to pick from');
      return picked;
    },
  };
}
