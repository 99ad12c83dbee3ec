// The network of this cloud: one VPC, a subnet a zone, private addresses that stay and public ones that are never reused.
import { createHash } from 'node:crypto';

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

/** 198.18.0.0/15 is reserved for tests of network gear, so nobody's machine is ever meant. */
export function publicAddress(publicNumber: number): string {
  return dotted(0xc6_12_00_01 + (publicNumber % 0x01_ff_fe));
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
