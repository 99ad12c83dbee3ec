// What an instance costs an hour: a dated table of on-demand Linux prices, for estimates that say how old they are.

/** The day the prices below were published list prices of us-east-1. */
export const PRICES_AS_OF = '2025-01-15';

const USD_PER_HOUR: ReadonlyMap<string, number> = new Map(
  Object.entries({
    't3.micro': 0.0104,
    't3.small': 0.0208,
    't3.medium': 0.0416,
    't3.large': 0.0832,
    'm5.large': 0.096,
    'm5.xlarge': 0.192,
    'm5.2xlarge': 0.384,
    'c5.large': 0.085,
    'c5.xlarge': 0.17,
    'g4dn.xlarge': 0.526,
    'g5.xlarge': 1.006,
    'g5.2xlarge': 1.212,
    'p4d.24xlarge': 32.7726,
    'p5.48xlarge': 98.32,
  }),
);

/** USD an hour of these types together; null when one of them is not in the table, because half a sum misleads. */
export function usdPerHour(types: readonly string[]): number | null {
  let sum = 0;
  for (const type of types) {
    const price = USD_PER_HOUR.get(type);
    if (price === undefined) return null;
    sum += price;
  }
  return Math.round(sum * 10_000) / 10_000;
}
