// What disks cost by the month: tables of kinds, of what is granted beyond the included, of shared ones, and of prices from config.
import type { Disk } from '../../domain/disks.ts';
import { storageOf } from '../../domain/disks.ts';

const disk = (kind: string, sizeGib: number, more: Partial<Disk> = {}): Disk => ({
  kind,
  sizeGib,
  iops: null,
  throughputMibps: null,
  machines: 1,
  ...more,
});
const costOf = (...disks: Disk[]) => storageOf(disks, 'us-east-1').usdPerMonth;

test.each<[string, Disk, number | null]>([
  ['gp2 by size alone', disk('gp2', 100, { iops: 300 }), 10],
  ['gp3 with what is included', disk('gp3', 100, { iops: 3_000, throughputMibps: 125 }), 8],
  ['gp3 with more IOPS', disk('gp3', 100, { iops: 4_000, throughputMibps: 125 }), 13],
  ['gp3 with more throughput', disk('gp3', 100, { iops: 3_000, throughputMibps: 225 }), 12],
  ['gp3 of which nothing is said', disk('gp3', 100), 8],
  ['io1 with each of its IOPS', disk('io1', 100, { iops: 1_000 }), 77.5],
  ['io2 within the first step', disk('io2', 100, { iops: 32_000 }), 12.5 + 2_080],
  ['io2 in the second', disk('io2', 100, { iops: 64_000 }), 12.5 + 2_080 + 1_456],
  ['io2 in the third', disk('io2', 100, { iops: 65_000 }), 12.5 + 2_080 + 1_456 + 31.85],
  ['st1', disk('st1', 1_000, { throughputMibps: 40 }), 45],
  ['sc1', disk('sc1', 1_000), 15],
  ['magnetic', disk('standard', 1_000), 50],
  ['half of one that two machines share', disk('io1', 100, { machines: 2 }), 6.25],
  ['one that is counted for no machine', disk('gp2', 100, { machines: 0 }), 10],
  ['a kind that nobody knows', disk('gp9', 100), null],
  ['a name of every object', disk('constructor', 100), null],
])('%s', (_, one, usd) => {
  if (usd === null) expect(costOf(one)).toBeNull();
  else expect(costOf(one)).toBeCloseTo(usd, 6);
});

test('disks together; none cost nothing, and one without a price makes no half sum', () => {
  expect(storageOf([disk('gp2', 100), disk('sc1', 500)], 'us-east-1')).toEqual({
    disks: 2,
    gib: 600,
    usdPerMonth: 17.5,
    priceSays: 'list price of us-east-1 as of 2025-01-15',
  });
  expect(storageOf([], 'us-east-1')).toEqual({ disks: 0, gib: 0, usdPerMonth: 0, priceSays: 'it has no disks' });
  expect(storageOf([disk('gp2', 100), disk('gp9', 1)], 'us-east-1')).toMatchObject({ gib: 101, usdPerMonth: null });
});

test('where config has the price of a GiB alone, the rest is said to be of the table', () => {
  const override = { asOf: '2026-11-01', usdPerHour: {}, usdPerGibMonth: { io2: 0.1 } };
  expect(storageOf([disk('io2', 100, { iops: 4_000 })], 'eu-west-1', override)).toMatchObject({
    usdPerMonth: 270,
    priceSays: 'price of 2026-11-01 from config; list price of us-east-1 as of 2025-01-15; in eu-west-1 it may differ',
  });
});

test('config says what a GiB costs, and each price whose it is', () => {
  const override = { asOf: '2026-11-01', usdPerHour: {}, usdPerGibMonth: { gp3: 0.1, gp9: 1 } };
  const disks = [disk('gp3', 10, { iops: 3_200 }), disk('gp9', 2), disk('gp2', 10), disk('gp0', 0)];
  expect(storageOf(disks.slice(0, 3), 'eu-west-1', override).usdPerMonth).toBeCloseTo(1 + 1 + 2 + 1, 6);
  expect(storageOf(disks, 'eu-west-1', override)).toMatchObject({
    usdPerMonth: null,
    priceSays:
      'price of 2026-11-01 from config; list price of us-east-1 as of 2025-01-15; in eu-west-1 it may differ; no price is known',
  });
});
