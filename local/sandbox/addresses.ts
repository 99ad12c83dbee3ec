// The network of this cloud: one VPC, a subnet a zone, private addresses that stay and public ones that are never reused.
import { createHash } from 'node:crypto';

import { stateAt } from './lifecycle.ts';
import type { Instance } from './records.ts';

export const vpcId = `vpc-${hex('vpc')}`;
export const groupId = `sg-${hex('group')}`;
export const imageId = `ami-${hex('image')}`;
export const ownerId = '123456789012';

/** The same name gives the same 17 hex digits, as long as an AWS id. */
export function hex(name: string): string {
  return createHash('sha256').update(`sandbox/${name}`).digest('hex').slice(0, 17);
}

export const subnetId = (zone: string): string => `subnet-${hex(zone)}`;

export const zonesOf = (region: string): string[] => ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => region + letter);

export function privateAddress(instanceNumber: number): string {
  return dotted(0x0a_00_00_0a + (instanceNumber % 0xff_ff_00));
}

/**
 * In the loopback network of this sandbox, where each is an SSH host; they come again after 65,000 starts. Without one in
 * 198.18.0.0/15, which is reserved for tests of network gear, so nobody's machine is ever meant.
 */
function publicAddress(publicNumber: number, network: number | undefined): string {
  if (network === undefined) return dotted(0xc6_12_00_01 + (publicNumber % 0x01_ff_fe));
  return dotted(0x7f_00_00_01 + network * 0x01_00_00 + (publicNumber % 65_000));
}

/** Private addresses are kept until termination, public ones only until the instance has stopped. */
export function addressesOf(
  instance: Instance,
  network: number | undefined,
  now: number,
): { private?: string; public?: string } {
  const state = stateAt(instance, now);
  if (state === 'terminated') return {};
  const kept = { private: privateAddress(instance.number) };
  return state === 'stopped' ? kept : { ...kept, public: publicAddress(instance.public_number, network) };
}

export const privateName = (region: string, address: string): string =>
  region === 'us-east-1' ? `ip-${dashed(address)}.ec2.internal` : `ip-${dashed(address)}.${region}.compute.internal`;

export const publicName = (region: string, address: string): string =>
  region === 'us-east-1'
    ? `ec2-${dashed(address)}.compute-1.amazonaws.com`
    : `ec2-${dashed(address)}.${region}.compute.amazonaws.com`;

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');

const dashed = (address: string): string => address.replaceAll('.', '-');
