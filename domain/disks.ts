// What the disks of a machine cost, which is by the month whether it runs or not: a dated table of EBS prices, and sums by it.
import { sum } from './cost.ts';
import type { PriceOverride } from './prices.ts';
import { PRICES_AS_OF, PRICES_REGION, priceSource } from './prices.ts';

/** A volume of EBS. */
export interface Disk {
  /** EBS's name of its kind: `gp3`, `io2`, ... */
  readonly kind: string;
  readonly sizeGib: number;
  /** What EBS grants it; null where the kind has no such figure. */
  readonly iops: number | null;
  readonly throughputMibps: number | null;
  /** How many machines it is attached to, of which each is counted its part. */
  readonly machines: number;
}

interface Rates {
  readonly usdPerGibMonth: number;
  /** Of what is granted beyond `included`, in steps: up to how many in all, and USD a month for each. */
  readonly iops?: { readonly included: number; readonly steps: readonly (readonly [upTo: number, usd: number])[] };
  readonly throughput?: { readonly included: number; readonly usd: number };
}

/** List prices of us-east-1 on the day of the table of instances. Source: price list of Amazon EBS. */
const RATES: ReadonlyMap<string, Rates> = new Map<string, Rates>([
  ['gp2', { usdPerGibMonth: 0.1 }],
  [
    'gp3',
    {
      usdPerGibMonth: 0.08,
      iops: { included: 3_000, steps: [[Infinity, 0.005]] },
      throughput: { included: 125, usd: 0.04 },
    },
  ],
  ['io1', { usdPerGibMonth: 0.125, iops: { included: 0, steps: [[Infinity, 0.065]] } }],
  [
    'io2',
    {
      usdPerGibMonth: 0.125,
      iops: {
        included: 0,
        steps: [
          [32_000, 0.065],
          [64_000, 0.0455],
          [Infinity, 0.03185],
        ],
      },
    },
  ],
  ['st1', { usdPerGibMonth: 0.045 }],
  ['sc1', { usdPerGibMonth: 0.015 }],
  // Its requests are billed too, and nobody can count them from here.
  ['standard', { usdPerGibMonth: 0.05 }],
]);

/** The disks of a machine together. */
export interface Storage {
  readonly disks: number;
  readonly gib: number;
  /** Null when the price of one is not known: half a sum misleads. */
  readonly usdPerMonth: number | null;
  /** Whose prices these are, for people. */
  readonly priceSays: string;
}

/** What these disks of a machine in that region hold and cost. */
export function storageOf(disks: readonly Disk[], region: string, override?: PriceOverride): Storage {
  const given = override?.usdPerGibMonth ?? {};
  const sources = disks.flatMap((disk) => {
    const listed = RATES.has(disk.kind) ? { asOf: PRICES_AS_OF, region: PRICES_REGION } : null;
    if (!override || !Object.hasOwn(given, disk.kind)) return priceSource(listed, region);
    const own = priceSource({ asOf: override.asOf, region: null }, region);
    return usdOfPerformance(disk) > 0 ? [own, priceSource(listed, region)] : own;
  });
  return {
    disks: disks.length,
    gib: disks.reduce((gib, { sizeGib }) => gib + sizeGib, 0),
    usdPerMonth: sum(disks.map((disk) => usdPerMonthOf(disk, given))),
    priceSays: [...new Set(sources)].join('; ') || 'it has no disks',
  };
}

/** Null when its kind is not known. Config says what a GiB costs; what is granted beyond it costs as in the table. */
function usdPerMonthOf(disk: Disk, given: Readonly<Record<string, number>>): number | null {
  const { kind, sizeGib, machines } = disk;
  const usdPerGib = Object.hasOwn(given, kind) ? given[kind] : RATES.get(kind)?.usdPerGibMonth;
  if (usdPerGib === undefined) return null;
  return (sizeGib * usdPerGib + usdOfPerformance(disk)) / Math.max(1, machines);
}

function usdOfPerformance({ kind, iops, throughputMibps }: Disk): number {
  const rates = RATES.get(kind);
  return usdOfIops(iops ?? 0, rates?.iops) + usdOfThroughput(throughputMibps ?? 0, rates?.throughput);
}

function usdOfIops(iops: number, rates: Rates['iops']): number {
  let from = rates?.included ?? 0;
  let usd = 0;
  for (const [upTo, each] of rates?.steps ?? []) {
    usd += Math.max(0, Math.min(iops, upTo) - from) * each;
    from = Math.max(from, upTo);
  }
  return usd;
}

function usdOfThroughput(mibps: number, rates: Rates['throughput']): number {
  return rates ? Math.max(0, mibps - rates.included) * rates.usd : 0;
}
