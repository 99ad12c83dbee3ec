// What an instance costs an hour: a dated table of on-demand Linux prices, for estimates that say how old they are.

/** The day the prices below were published list prices of us-east-1. */
export const PRICES_AS_OF = '2025-01-15';
export const PRICES_REGION = 'us-east-1';

export interface InstanceType {
  readonly usdPerHour: number;
  readonly memoryGb: number;
  readonly gpus: number;
  /** Of each of its GPUs; 0 without one. */
  readonly gpuMemoryGb: number;
}

/** Type, USD an hour, memory in GB; for those with GPUs how many, and the memory of each in GB. */
type Row = readonly [type: string, usdPerHour: number, memoryGb: number, gpus?: number, gpuMemoryGb?: number];

const ROWS: readonly Row[] = [
  ['t3.nano', 0.0052, 0.5],
  ['t3.micro', 0.0104, 1],
  ['t3.small', 0.0208, 2],
  ['t3.medium', 0.0416, 4],
  ['t3.large', 0.0832, 8],
  ['t3.xlarge', 0.1664, 16],
  ['t3.2xlarge', 0.3328, 32],
  ['m5.large', 0.096, 8],
  ['m5.xlarge', 0.192, 16],
  ['m5.2xlarge', 0.384, 32],
  ['m5.4xlarge', 0.768, 64],
  ['m5.8xlarge', 1.536, 128],
  ['m5.12xlarge', 2.304, 192],
  ['m5.16xlarge', 3.072, 256],
  ['m5.24xlarge', 4.608, 384],
  ['c5.large', 0.085, 4],
  ['c5.xlarge', 0.17, 8],
  ['c5.2xlarge', 0.34, 16],
  ['c5.4xlarge', 0.68, 32],
  ['c5.9xlarge', 1.53, 72],
  ['c5.12xlarge', 2.04, 96],
  ['c5.18xlarge', 3.06, 144],
  ['c5.24xlarge', 4.08, 192],
  // NVIDIA T4
  ['g4dn.xlarge', 0.526, 16, 1, 16],
  ['g4dn.2xlarge', 0.752, 32, 1, 16],
  ['g4dn.4xlarge', 1.204, 64, 1, 16],
  ['g4dn.8xlarge', 2.176, 128, 1, 16],
  ['g4dn.12xlarge', 3.912, 192, 4, 16],
  ['g4dn.16xlarge', 4.352, 256, 1, 16],
  ['g4dn.metal', 7.824, 384, 8, 16],
  // NVIDIA A10G
  ['g5.xlarge', 1.006, 16, 1, 24],
  ['g5.2xlarge', 1.212, 32, 1, 24],
  ['g5.4xlarge', 1.624, 64, 1, 24],
  ['g5.8xlarge', 2.448, 128, 1, 24],
  ['g5.12xlarge', 5.672, 192, 4, 24],
  ['g5.16xlarge', 4.096, 256, 1, 24],
  ['g5.24xlarge', 8.144, 384, 4, 24],
  ['g5.48xlarge', 16.288, 768, 8, 24],
  // NVIDIA L4
  ['g6.xlarge', 0.8048, 16, 1, 24],
  ['g6.2xlarge', 0.9776, 32, 1, 24],
  ['g6.4xlarge', 1.3232, 64, 1, 24],
  ['g6.8xlarge', 2.0144, 128, 1, 24],
  ['g6.12xlarge', 4.6016, 192, 4, 24],
  ['g6.16xlarge', 3.3968, 256, 1, 24],
  ['g6.24xlarge', 6.6752, 384, 4, 24],
  ['g6.48xlarge', 13.3504, 768, 8, 24],
  // NVIDIA V100
  ['p3.2xlarge', 3.06, 61, 1, 16],
  ['p3.8xlarge', 12.24, 244, 4, 16],
  ['p3.16xlarge', 24.48, 488, 8, 16],
  // NVIDIA A100
  ['p4d.24xlarge', 32.7726, 1152, 8, 40],
  // NVIDIA A100
  ['p4de.24xlarge', 40.9657, 1152, 8, 80],
  // NVIDIA H100
  ['p5.48xlarge', 98.32, 2048, 8, 80],
];

const TYPES: ReadonlyMap<string, InstanceType> = new Map(
  ROWS.map(([type, usdPerHour, memoryGb, gpus = 0, gpuMemoryGb = 0]) => [
    type,
    { usdPerHour, memoryGb, gpus, gpuMemoryGb },
  ]),
);

/** What the table knows of a type, whatever config says about its price; undefined when it is not in it. */
export function instanceType(type: string): InstanceType | undefined {
  return TYPES.get(type);
}

/** Prices that config gives in place of the table's, for a contract, another region or a newer list. */
export interface PriceOverride {
  /** A date, like the table's. */
  readonly asOf: string;
  /** By instance type. */
  readonly usdPerHour: Readonly<Record<string, number>>;
  /** By kind of disk. */
  readonly usdPerGibMonth?: Readonly<Record<string, number>>;
}

export interface Price {
  readonly usdPerHour: number;
  readonly asOf: string;
  /** The region whose price it is; null where config gives it, since a person put it there for this account. */
  readonly region: string | null;
}

/** The price of one instance of a type; null when neither config nor the table has it. */
export function priceOf(type: string, override?: PriceOverride): Price | null {
  if (override && Object.hasOwn(override.usdPerHour, type)) {
    const usdPerHour = override.usdPerHour[type];
    if (usdPerHour !== undefined) return { usdPerHour, asOf: override.asOf, region: null };
  }
  const known = TYPES.get(type);
  return known ? { usdPerHour: known.usdPerHour, asOf: PRICES_AS_OF, region: PRICES_REGION } : null;
}

/**
 * What an hour of observed time costs: the price it was observed under, or the one known now where none was known then,
 * so that a type is priced as soon as config names it.
 */
export function rateOf(
  { instanceType, usdPerHour: then }: { readonly instanceType: string; readonly usdPerHour: number | null },
  override?: PriceOverride,
): number | null {
  return then ?? priceOf(instanceType, override)?.usdPerHour ?? null;
}

/** Where a price comes from, for people; prices differ by region, and by how much is not known here. */
export function priceSource(price: Pick<Price, 'asOf' | 'region'> | null, region: string): string {
  if (price === null) return 'no price is known';
  if (price.region === null) return `price of ${price.asOf} from config`;
  const elsewhere = price.region === region ? '' : `; in ${region} it may differ`;
  return `list price of ${price.region} as of ${price.asOf}${elsewhere}`;
}

/** USD an hour of these types together; null when the price of one is not known, because half a sum misleads. */
export function usdPerHour(types: readonly string[], override?: PriceOverride): number | null {
  let sum = 0;
  for (const type of types) {
    const price = priceOf(type, override);
    if (price === null) return null;
    sum += price.usdPerHour;
  }
  return Math.round(sum * 10_000) / 10_000;
}
